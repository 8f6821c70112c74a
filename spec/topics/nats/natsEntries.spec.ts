import { headers } from '@nats-io/transport-node';
import { expect } from 'chai';
import { beginning, binaryHeaders, entryHeaders, toLogMessage } from '../../../lib/topics/nats/natsEntries';

describe('toLogMessage() of NATS', () => {
  const text = Buffer.from('text');
  const invalid = Buffer.from([0xff]);

  for (const [what, entry, data] of [
    ['without headers is text', { data: text }, 'text'],
    ['with headers of another program is text', { data: text, headers: headers() }, 'text'],
    ['that is no UTF-8 is bytes', { data: invalid }, invalid],
    ['with the header of bytes is bytes', { data: text, headers: binaryHeaders() }, text],
    ['that begins a log is no message', { data: Buffer.alloc(0), headers: entryHeaders(beginning) }, undefined],
  ] as const)
    it(`an entry ${what}`, () => expect(toLogMessage(7, 5, entry)).to.deep.equal({ offset: 7, previous: 5, data }));

  it('copies bytes, which may be a small piece of what was received', () => {
    const received = new Uint8Array(100_000).fill(0xff);
    const { data } = toLogMessage(1, 0, { data: received.subarray(0, 1) });
    expect((data as Buffer).buffer).not.to.equal(received.buffer);
  });
});
