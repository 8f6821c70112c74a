import { expect } from 'chai';
import { Streams } from '../../lib/extensions/streams';
import { Deframer, type Incoming, type WebSocketError } from '../../lib/webSocketHandler';
import { frame } from '../endings/rawEnd';
import { thrownBy } from '../support/thrown';
import { chunksOf, hex } from '../support/vectors';

/** An empty final block. */
const finalBlock = '0300';
/** Behind final blocks, the text "Hello". */
const hello = 'f248cdc9c90700';
/** A block of 1,024 bytes that are not compressed, which is not a final one. */
const kibibyte = `000004fffb${'61'.repeat(1024)}`;

/** The text of a compressed message, or the code of the error. */
async function read(payload: string, parts: boolean, size: number): Promise<string> {
  const deframer = new Deframer({ role: 'client', extensions: 'permessage-deflate', parts });
  for (const chunk of chunksOf(frame(0xc1, hex(payload), 'server'), size)) deframer.write(chunk);
  deframer.end();
  let text = '';
  try {
    for await (const item of deframer as AsyncIterable<Incoming>)
      text += typeof item === 'string' ? item : (item as { payload: Buffer }).payload.toString();
  } catch (error) {
    return (error as WebSocketError).code;
  }
  return text;
}

describe('Streams', () => {
  it('may be five, and one more for each KiB before: the next one is refused', () => {
    const streams = new Streams();
    for (let i = 0; i < 5; i++) streams.begin(0);
    streams.begin(1024);
    const error = thrownBy(() => streams.begin(2047));
    expect([error.code, error.message.includes('final blocks')]).to.deep.equal(['WS_ERR_INVALID_COMPRESSION', true]);
  });
});

describe('A compressed message of several streams, with a final block (BFINAL) at the end of each', () => {
  const messages: readonly (readonly [what: string, payload: string, says: string])[] = [
    ['with four final blocks before its last stream', finalBlock.repeat(4) + hello, 'Hello'],
    ['with five of them', finalBlock.repeat(5) + hello, 'WS_ERR_INVALID_COMPRESSION'],
    ['with five, of which the last is its end', finalBlock.repeat(5), ''],
    ['with six, of which the last is its end', finalBlock.repeat(6), 'WS_ERR_INVALID_COMPRESSION'],
    ['with one more behind a kibibyte', kibibyte + finalBlock.repeat(5) + hello, `${'a'.repeat(1024)}Hello`],
    ['with two more behind a kibibyte', kibibyte + finalBlock.repeat(6) + hello, 'WS_ERR_INVALID_COMPRESSION'],
    ['with one more before a kibibyte', finalBlock.repeat(5) + kibibyte + hello, 'WS_ERR_INVALID_COMPRESSION'],
    ['as a fuzzer has found it: six streams', `${`4b02${finalBlock}`.repeat(5)}4a0600`, 'WS_ERR_INVALID_COMPRESSION'],
  ];

  for (const [what, payload, says] of messages)
    it(`is the same at once and in parts, however it is cut: ${what}`, async () => {
      for (const parts of [false, true])
        for (const size of [1, 2, 3, 5, 4096])
          expect(await read(payload, parts, size), `${parts} ${size}`).to.equal(says);
    });
});
