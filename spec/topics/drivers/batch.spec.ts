import { expect } from 'chai';
import { BatchSize } from '../../../lib/topics/drivers/batch';

describe('BatchSize', () => {
  for (const [what, messages, count] of [
    ['large messages', [{ data: Buffer.alloc(512 * 1024) }], 2],
    ['messages that are larger than a batch', [{ data: Buffer.alloc(4 * 1024 * 1024) }], 1],
    ['small messages', [{ data: 'x' }, { data: 'xyz' }], 256],
    ['messages without data', [{ data: undefined }], 256],
  ] as const)
    it(`asks for ${count} messages after ${what}`, () => {
      const size = new BatchSize();
      expect(size.count).to.equal(32);
      size.learn(messages);
      expect(size.count).to.equal(count);
    });
});
