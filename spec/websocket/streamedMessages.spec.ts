import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { MessagePart } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import type { MessageStream } from '../../lib/websocket/messageStream';
import { StreamedMessages } from '../../lib/websocket/streamedMessages';

const part = (payload: string | Buffer, { first = false, last = false, isText = true } = {}): MessagePart => ({
  opcode: 'part',
  text: isText,
  compressed: false,
  first,
  last,
  payload: Buffer.from(payload),
});

const failed = () => new WebSocketError('WS_ERR_CONNECTION_LOST');

describe('StreamedMessages', () => {
  let delivered: MessageStream[];
  /** How often the connection was asked for more. */
  let asked: number;
  /** What the reader says when a stream is delivered. */
  let takesMore: boolean;
  let messages: StreamedMessages;

  beforeEach(() => {
    delivered = [];
    asked = 0;
    takesMore = true;
    messages = new StreamedMessages(
      (message) => {
        delivered.push(message);
        return takesMore;
      },
      { readOn: () => asked++ },
    );
  });

  const stream = (index = 0) => delivered[index] as MessageStream;

  it('delivers a whole message as a stream that has ended', async () => {
    expect(messages.receive('hello')).to.equal(true);
    expect(messages.receive(Buffer.from('bytes'))).to.equal(true);
    expect(delivered.map(({ binary }) => binary)).to.deep.equal([false, true]);
    expect([await text(stream(0)), await text(stream(1))]).to.deep.equal(['hello', 'bytes']);
  });

  it('delivers one stream for all parts of a message, with the first part', async () => {
    messages.receive(part('one ', { first: true }));
    expect(delivered).to.have.lengthOf(1);
    messages.receive(part('two '));
    messages.receive(part('three', { last: true }));
    expect(delivered).to.have.lengthOf(1);
    expect(await text(stream())).to.equal('one two three');
  });

  it('delivers a stream of bytes for the parts of a binary message', async () => {
    messages.receive(part('one', { first: true, last: true, isText: false }));
    expect([stream().binary, stream().read()]).to.deep.equal([true, Buffer.from('one')]);
  });

  it('decodes a character whose bytes are in two parts', async () => {
    const bytes = Buffer.from('ü');
    messages.receive(part(bytes.subarray(0, 1), { first: true }));
    messages.receive(part(bytes.subarray(1), { last: true }));
    const pieces: string[] = [];
    for await (const piece of stream()) pieces.push(piece);
    expect(pieces.join('')).to.equal('ü');
  });

  it('returns false when the queue of streams, or the stream of the message, is full', () => {
    takesMore = false;
    expect(messages.receive('whole')).to.equal(false);
    expect(messages.receive(part('a', { first: true }))).to.equal(false);
    takesMore = true;
    expect(messages.receive(part('b'))).to.equal(true);
    expect(messages.receive(part('x'.repeat(64 * 1024)))).to.equal(false);
    expect(messages.receive(part('', { last: true }))).to.equal(true);
  });

  it('returns false if the first part fills the stream, but not if the listener has destroyed it', () => {
    const first = part('x'.repeat(64 * 1024), { first: true });
    expect(messages.receive(first)).to.equal(false);
    const destroying = new StreamedMessages(
      (message) => {
        message.destroy();
        return true;
      },
      { readOn() {} },
    );
    expect(destroying.receive(first)).to.equal(true);
  });

  it('calls readOn() when the reader has read enough of the stream', async () => {
    messages.receive(part('x'.repeat(64 * 1024), { first: true }));
    asked = 0;
    stream().resume();
    await turn();
    expect(asked).to.be.above(0);
  });

  it('skips the rest of a message whose stream is destroyed, and delivers the next one', async () => {
    messages.receive(part('a', { first: true }));
    stream().destroy();
    expect(messages.receive(part('x'.repeat(100_000)))).to.equal(true);
    messages.receive(part('', { last: true }));
    messages.receive(part('b', { first: true, last: true }));
    expect(await text(stream(1))).to.equal('b');
  });

  it('goes on with the parts of a message whose delivery has thrown', async () => {
    const throwing = new StreamedMessages(
      (message) => {
        delivered.push(message);
        throw new Error('a listener has thrown');
      },
      { readOn() {} },
    );
    expect(() => throwing.receive(part('a', { first: true }))).to.throw('a listener');
    throwing.receive(part('b', { last: true }));
    expect(await text(stream())).to.equal('ab');
  });

  describe('fail()', () => {
    it('fails the stream of the message that has not ended, after its received parts', async () => {
      messages.receive(part('a', { first: true }));
      const error = failed();
      messages.fail(error);
      const pieces: string[] = [];
      const reading = (async () => {
        for await (const piece of stream()) pieces.push(piece);
      })();
      expect(await reading.catch((caught) => caught)).to.equal(error);
      expect(pieces).to.deep.equal(['a']);
    });

    it('does not fail the streams of messages that have ended', async () => {
      messages.receive(part('a', { first: true, last: true }));
      messages.receive('b');
      messages.fail(failed());
      expect([await text(stream(0)), await text(stream(1))]).to.deep.equal(['a', 'b']);
    });

    it('does nothing without a message that was received in part, and keeps the first error', async () => {
      messages.fail(failed());
      messages.receive(part('a', { first: true }));
      const error = failed();
      messages.fail(error);
      messages.fail(failed());
      expect(await text(stream()).catch((caught) => caught)).to.equal(error);
    });

    it('does not fail the stream of an empty message that has ended', async () => {
      messages.receive(part('', { first: true, last: true }));
      messages.fail(failed());
      expect(await text(stream())).to.equal('');
    });

    it('does not end the process if nobody reads the stream', async () => {
      messages.receive(part('', { first: true }));
      messages.fail(failed());
      await turn();
      expect(stream().destroyed).to.equal(true);
    });
  });
});
