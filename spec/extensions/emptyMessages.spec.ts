import { expect } from 'chai';
import type { MessagePart, Role } from '../../lib/contracts';
import { MessageReader } from '../../lib/framing/messageReader';
import { peerOf, wire } from '../support/vectors';

/** "Hello" compressed, and again with a reference to the first one (RFC 7692 §7.2.3.1, §7.2.3.2). */
const hello = 'f248cdc9c90700';
const helloAgain = 'f200110000';

/** All messages in some bytes; parts are joined. */
function messagesIn(bytes: Buffer, role: Role, parts: boolean, extensions: string): string[] {
  const reader = new MessageReader({ role, version: '13', maxMessageSize: 1000, extensions, parts });
  reader.feed(bytes);
  const messages: string[] = [];
  let text = '';
  for (let item = reader.next(); item !== undefined; item = reader.next()) {
    if (typeof item === 'string') messages.push(item);
    else text = addPart(text, item as MessagePart, messages);
  }
  reader.finish();
  reader.release();
  return messages;
}

function addPart(text: string, { last, payload }: MessagePart, messages: string[]): string {
  if (!last) return text + payload;
  messages.push(text + payload);
  return '';
}

describe('A compressed message without a payload byte', () => {
  // Mojolicious sends this for an empty text, where RFC 7692 §7.2.3.6 has one byte 00.
  const forms: readonly (readonly [what: string, frames: string])[] = [
    ['in one frame', 'c1 00 |'],
    ['in two fragments', '41 00 |\n80 00 |'],
    ['with the byte 00 that RFC 7692 §7.2.3.6 wants', 'c1 01 | 00'],
    ['with that byte in the second fragment', '41 00 |\n80 01 | 00'],
  ];
  for (const [what, frames] of forms) {
    for (const role of ['server', 'client'] satisfies Role[]) {
      for (const parts of [false, true]) {
        it(`${what} is empty, and the next one is right: a ${role}, ${parts ? 'in parts' : 'whole messages'}`, () => {
          const compressed = `c1 07 | ${hello}`;
          const again = `c1 05 | ${helloAgain}`;
          const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
            [
              'permessage-deflate',
              [compressed, frames, again, frames, frames, again],
              ['Hello', '', 'Hello', '', '', 'Hello'],
            ],
            ['permessage-deflate', [frames, compressed, frames, again], ['', 'Hello', '', 'Hello']],
            [
              'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
              [compressed, frames, compressed],
              ['Hello', '', 'Hello'],
            ],
          ];
          for (const [extensions, lines, messages] of cases) {
            const { bytes } = wire(lines.join('\n'), peerOf(role));
            expect(messagesIn(bytes, role, parts, extensions)).to.deep.equal(messages);
          }
        });
      }
    }
  }
});
