import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { Role } from '../../lib/contracts';
import type { ConnectionOptions } from '../../lib/webSocketHandler';
import type { WebSocket } from '../../lib/websocket/webSocket';
import { openWebSocket } from './openWebSocket';
import { exampleKey, masked, peerOf } from './vectors';

/** One frame as it stood on the wire, unmasked. */
export interface RawFrame {
  /** The first byte: FIN, the reserved bits, the opcode. */
  readonly first: number;
  readonly payload: Buffer;
}

/** One end of two joined byte streams. It counts what it holds for a reader that does not come. */
class ByteStream extends Duplex {
  peer!: ByteStream;
  #taken: (() => void) | undefined;

  constructor() {
    // What it holds is the same in all versions of Node.
    super({ highWaterMark: 16 * 1024 });
  }

  override _read(): void {
    const taken = this.peer.#taken;
    this.peer.#taken = undefined;
    taken?.();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.peer.push(bytes)) done();
    else this.#taken = done;
  }

  override _final(done: () => void): void {
    this.peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.peer.readableEnded) process.nextTick(() => this.peer.destroy());
    done(error);
  }
}

/** The other end of a WebSocket, by hand: it sends bytes, and keeps the frames that come back. */
export class RawPeer {
  readonly webSocket: WebSocket;
  /** What it writes to and reads from. */
  readonly stream: Duplex;
  readonly frames: RawFrame[] = [];
  readonly #role: Role;
  #unread: Buffer = Buffer.alloc(0);

  /** @param role that of the WebSocket, which is open */
  constructor(role: Role, options: ConnectionOptions & { extensions?: string; reads?: boolean } = {}) {
    const { extensions = '', reads = true, ...rest } = options;
    const [ours, theirs] = [new ByteStream(), new ByteStream()];
    ours.peer = theirs;
    theirs.peer = ours;
    this.#role = peerOf(role);
    this.stream = ours;
    const transport = { stream: theirs, head: Buffer.alloc(0) };
    this.webSocket = openWebSocket(role, transport, { options: rest, extensions });
    if (reads) ours.on('data', (bytes: Buffer) => this.#receive(bytes));
    // A server ends the byte stream after both Close frames (RFC 6455 §7.1.1).
    ours.on('end', () => ours.end());
  }

  write(bytes: Buffer): void {
    this.stream.write(bytes);
  }

  send(first: number, payload: string | Buffer = ''): void {
    this.write(rawFrame(first, Buffer.from(payload as Buffer), this.#role));
  }

  /** Waits until the WebSocket has ended its side. */
  async ended(): Promise<RawFrame[]> {
    if (!this.stream.readableEnded && !this.stream.destroyed) await once(this.stream, 'close');
    return this.frames;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.stream.destroyed) await once(this.stream, 'data');
  }

  #receive(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    for (;;) {
      const read = readRawFrame(this.#unread);
      if (read === undefined) break;
      this.#unread = this.#unread.subarray(read.size);
      this.frames.push(read.frame);
      if (this.#role === 'server' && (read.frame.first & 0x0f) === 8) this.stream.end();
    }
  }
}

/** A frame as this side sends it: a client's is masked. */
export function rawFrame(first: number, payload: Buffer, sender: Role): Buffer {
  const maskBit = sender === 'client' ? 0x80 : 0;
  const head =
    payload.length < 126
      ? Buffer.of(first, maskBit | payload.length)
      : payload.length < 65536
        ? Buffer.from([first, maskBit | 126, payload.length >> 8, payload.length & 255])
        : Buffer.concat([Buffer.of(first, maskBit | 127), length64(payload.length)]);
  return sender === 'client'
    ? Buffer.concat([head, exampleKey, masked(payload, exampleKey)])
    : Buffer.concat([head, payload]);
}

function length64(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}

function readRawFrame(bytes: Buffer): { readonly frame: RawFrame; readonly size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)];
  const form = second & 0x7f;
  const extended = form === 126 ? 2 : form === 127 ? 8 : 0;
  const head = 2 + extended + (second & 0x80 ? 4 : 0);
  if (bytes.length < head) return undefined;
  const length = form === 126 ? bytes.readUInt16BE(2) : form === 127 ? Number(bytes.readBigUInt64BE(2)) : form;
  if (bytes.length < head + length) return undefined;
  const body = bytes.subarray(head, head + length);
  const payload = second & 0x80 ? masked(body, bytes.subarray(head - 4, head)) : Buffer.from(body);
  return { frame: { first, payload }, size: head + length };
}
