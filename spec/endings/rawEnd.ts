import type { Duplex } from 'node:stream';
import type { Role } from '../../lib/webSocketHandler';

/** A masking key that changes nothing: the payload of a client can be read in a capture. */
const maskingKey = Buffer.alloc(4);

/** A frame of RFC 6455 §5.2 with a payload under 64 KiB, as this role sends it. */
export function frame(first: number, payload: string | Buffer, sender: Role): Buffer {
  const bytes = Buffer.from(payload as string);
  const mask = sender === 'client' ? 0x80 : 0;
  const { length } = bytes;
  const head = length < 126 ? [first, mask | length] : [first, mask | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), mask ? maskingKey : Buffer.alloc(0), bytes]);
}

export function closeFrame(code: number | undefined, sender: Role): Buffer {
  return frame(0x88, code === undefined ? '' : Buffer.of(code >> 8, code & 255), sender);
}

function unmask(payload: Buffer, key: Buffer): void {
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] as number) ^ (key[i & 3] as number);
}

/** Takes whole frames off the front of these bytes. */
function takeFrames(bytes: Buffer): { frames: { first: number; payload: Buffer }[]; rest: Buffer } {
  const frames: { first: number; payload: Buffer }[] = [];
  let rest = bytes;
  while (rest.length >= 2) {
    const [first, second] = [rest.readUInt8(0), rest.readUInt8(1)];
    const form = second & 0x7f;
    const extended = form === 126 ? 2 : form === 127 ? 8 : 0;
    const head = 2 + extended + (second & 0x80 ? 4 : 0);
    if (rest.length < head) break;
    const length = form === 126 ? rest.readUInt16BE(2) : form === 127 ? Number(rest.readBigUInt64BE(2)) : form;
    if (rest.length < head + length) break;
    const payload = Buffer.from(rest.subarray(head, head + length));
    if (second & 0x80) unmask(payload, rest.subarray(head - 4, head));
    frames.push({ first, payload });
    rest = rest.subarray(head + length);
  }
  return { frames, rest };
}

/**
 * The other end of a connection, by hand, for peers that break off, break the protocol, or say nothing. It reads everything, answers
 * nothing but a Close, and only if that is what it does.
 */
export class RawEnd {
  readonly received: string[] = [];
  /** Settled with the code of the Close frame that came, 1006 if the connection is gone without one. */
  readonly closeCode: Promise<number>;
  readonly stream: Duplex;
  readonly role: Role;
  #unread: Buffer = Buffer.alloc(0);
  #message = '';
  #saw = 1006;

  constructor(stream: Duplex, role: Role, head: Buffer) {
    this.stream = stream;
    this.role = role;
    stream.on('error', () => {});
    this.closeCode = new Promise((resolve) => stream.once('close', () => resolve(this.#saw)));
    stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    stream.on('end', () => stream.end());
    if (head.length > 0) this.#receive(head);
  }

  write(...pieces: readonly Buffer[]): void {
    if (this.stream.writable) this.stream.write(Buffer.concat(pieces));
  }

  sendTexts(texts: readonly string[], ...behind: readonly Buffer[]): void {
    this.write(...texts.map((text) => frame(0x81, text, this.role)), ...behind);
  }

  #receive(bytes: Buffer): void {
    const { frames, rest } = takeFrames(Buffer.concat([this.#unread, bytes]));
    this.#unread = rest;
    for (const { first, payload } of frames) {
      const opcode = first & 0x0f;
      if (opcode <= 2) {
        this.#message += payload.toString();
        if ((first & 0x80) === 0) continue;
        this.received.push(this.#message);
        this.#message = '';
      } else if (opcode === 8) {
        this.#saw = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
        // A server ends the byte stream after both Close frames, or when the peer failed the connection (RFC 6455 §7.1.1).
        if (this.role === 'server') this.stream.end();
      }
    }
  }
}
