import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { WebSocketError } from '../../lib/errors';
import type { DuplexOfMessages } from '../../lib/websocket/events';
import { LateWrites } from '../../lib/websocket/lateWrites';
import type { Delivered } from '../../lib/websocket/streamedMessages';

const readByLoop = () => true;
const notReadByLoop = () => false;

describe('LateWrites', () => {
  let stream: EventEmitter & { destroyed: boolean; writableEnded: boolean };
  let lateWrites: LateWrites;
  let drains: number;
  let losses: number;
  /** The errors passed to `releaseWriters()`. */
  let released: WebSocketError[];

  beforeEach(() => {
    drains = losses = 0;
    released = [];
    stream = Object.assign(new EventEmitter(), { destroyed: false, writableEnded: true });
    stream.on('drain', () => drains++);
    const closing = {
      messagesLost() {
        losses++;
        return new WebSocketError('WS_ERR_CONNECTION_LOST');
      },
    };
    const halfClose = { releaseWriters: (error: WebSocketError) => void released.push(error) };
    lateWrites = new LateWrites(stream as unknown as DuplexOfMessages<Delivered>, halfClose, closing);
  });

  it('refuse(): returns false, and calls back with WS_ERR_NOT_OPEN after write() has returned', async () => {
    const errors: unknown[] = [];
    expect(lateWrites.refuse('late', (error) => errors.push(error), notReadByLoop)).to.equal(false);
    expect(errors).to.deep.equal([]);
    await turn();
    expect(errors.map((error) => (error as WebSocketError).code)).to.deep.equal(['WS_ERR_NOT_OPEN']);
    expect((errors[0] as WebSocketError).message).to.include('the writable side has ended');
  });

  it('refuse(): reports a loss if the program could still write, because then the connection was lost', () => {
    lateWrites.refuse('late', undefined, notReadByLoop);
    expect(losses).to.equal(0);
    stream.writableEnded = false;
    lateWrites.refuse('lost', undefined, notReadByLoop);
    expect(losses).to.equal(1);
    stream.destroyed = true;
    lateWrites.refuse('late', undefined, notReadByLoop);
    expect(losses).to.equal(1);
  });

  it('refuse(): cancels a source, with the same error', async () => {
    const source = new Readable({ read() {} });
    let told: unknown;
    lateWrites.refuse(source, (error) => (told = error), notReadByLoop);
    await turn();
    expect(source.destroyed).to.equal(true);
    expect(source.errored).to.equal(told).and.have.property('code', 'WS_ERR_NOT_OPEN');
  });

  it("refuse(): emits 'drain' once in the next turn of the event loop, however many writes are refused, and again later", async () => {
    lateWrites.refuse('one', undefined, notReadByLoop);
    expect(lateWrites.refuse('two', undefined, notReadByLoop)).to.equal(false);
    expect(drains).to.equal(0);
    await turn();
    expect(drains).to.equal(1);
    lateWrites.refuse('three', undefined, notReadByLoop);
    await turn();
    expect([drains, released]).to.deep.equal([2, []]);
  });

  it("refuse(): releases the writers of a destroyed stream instead of emitting 'drain'", async () => {
    stream.destroyed = true;
    lateWrites.refuse('late', undefined, notReadByLoop);
    expect(released).to.deep.equal([]);
    await turn();
    expect(drains).to.equal(0);
    expect(released.map(({ code }) => code)).to.deep.equal(['WS_ERR_NOT_OPEN']);
  });

  it("refuse(): emits 'drain' also from a destroyed stream that a loop reads, which may wait for it", async () => {
    stream.destroyed = true;
    lateWrites.refuse('late', undefined, readByLoop);
    await turn();
    expect([drains, released.length]).to.deep.equal([1, 1]);
  });
});
