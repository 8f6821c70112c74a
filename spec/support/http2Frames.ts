import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { hex } from './vectors';

/** HTTP/2 by hand (RFC 9113), for peers that are not as polite as `node:http2` is. */

export const types = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flags = { none: 0, endStream: 1, acknowledgement: 1, endHeaders: 4 } as const;

/** §7 */
export const errorCodes = {
  none: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  refused: 7,
  cancel: 8,
} as const;

/** §6.5.2, and RFC 8441 §3. */
export const settings = {
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  enableConnectProtocol: 8,
} as const;

export type SettingName = keyof typeof settings;

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export interface Http2Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** §4.1 */
export function frame(type: number, flag: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flag, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settingsFrame(values: Partial<Record<SettingName, number>> = {}): Buffer {
  const pairs = Object.entries(values).map(([name, value]) => {
    return Buffer.concat([Buffer.of(0, settings[name as SettingName]), uint32(value)]);
  });
  return frame(types.settings, flags.none, 0, Buffer.concat(pairs));
}

export function resetFrame(stream: number, code: number = errorCodes.cancel): Buffer {
  return frame(types.resetStream, flags.none, stream, uint32(code));
}

export function goawayFrame(lastStream: number, code: number = errorCodes.none): Buffer {
  return frame(types.goaway, flags.none, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}

export function windowFrame(stream: number, bytes: number): Buffer {
  return frame(types.windowUpdate, flags.none, stream, uint32(bytes));
}

export function pingFrame(): Buffer {
  return frame(types.ping, flags.none, 0, Buffer.alloc(8));
}

export function dataFrame(stream: number, payload: Uint8Array = Buffer.alloc(0), flag: number = flags.none): Buffer {
  return frame(types.data, flag, stream, payload);
}

export type HeaderList = readonly (readonly [name: string, value: string])[];

/** HPACK without its tables: each field is a literal that is not indexed (RFC 7541 §6.2.2). */
export function headerBlock(list: HeaderList): Buffer {
  return Buffer.concat(list.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
}

export function headersFrame(stream: number, list: HeaderList, flag: number = flags.endHeaders): Buffer {
  return frame(types.headers, flag, stream, headerBlock(list));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([prefixedInteger(bytes.length), bytes]);
}

/** An integer with a prefix of seven bits (RFC 7541 §5.1). */
function prefixedInteger(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest > 127; rest >>= 7) bytes.push(0x80 | (rest & 127));
  return Buffer.from([...bytes, rest]);
}

/** The fields of a good opening request (RFC 8441 §5), to be changed one at a time. */
export const goodFields = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'http',
  ':path': '/chat',
  ':authority': 'example.org',
  'sec-websocket-version': '13',
};

/** A field that is changed to undefined is left out. */
export function openingFields(changes: Record<string, string | undefined> = {}): HeaderList {
  return Object.entries({ ...goodFields, ...changes }).filter(
    (field): field is [string, string] => field[1] !== undefined,
  );
}

export function openingFrame(stream: number, changes: Record<string, string | undefined> = {}): Buffer {
  return headersFrame(stream, openingFields(changes));
}

/** One end of a connection: it keeps the frames that come, and tells when something new has. */
export class RawHttp2 implements Disposable {
  readonly socket: Socket;
  readonly frames: Http2Frame[] = [];
  /** Whether settings and pings are acknowledged (§6.5.3, §6.7). */
  acknowledges = true;
  ended = false;
  /** What has come where a server of HTTP/2 expects a preface (§3.4). */
  otherProtocol = '';
  #unread: Buffer = Buffer.alloc(0);
  #prefaceLength: number;

  constructor(socket: Socket, role: 'client' | 'server') {
    this.socket = socket;
    this.#prefaceLength = role === 'server' ? preface.length : 0;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', () => {});
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.ended = true;
        socket.emit('news');
      });
    }
  }

  /** A client that has sent its preface and these settings. */
  static async connect(url: string, values: Partial<Record<SettingName, number>> = {}): Promise<RawHttp2> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await once(socket, 'connect');
    const client = new RawHttp2(socket, 'client');
    client.write(preface, settingsFrame(values));
    return client;
  }

  write(...pieces: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(pieces));
  }

  /** Waits until what was received satisfies the condition, or the other end has ended the connection. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.ended) await once(this.socket, 'news');
  }

  /** The first frame of this type on this stream. */
  async frame(type: number, stream: number): Promise<Http2Frame> {
    const find = () => this.frames.find((one) => one.type === type && one.stream === stream);
    await this.until(() => find() !== undefined);
    const found = find();
    if (found === undefined) throw new Error(`The connection has ended without a frame of type ${type} on ${stream}`);
    return found;
  }

  /** The status of the answer on this stream; of those that stand in a table of HPACK (RFC 7541 appendix A). */
  async status(stream: number): Promise<number> {
    const { payload } = await this.frame(types.headers, stream);
    return [200, 204, 206, 304, 400, 404, 500][payload.readUInt8(0) - 0x88] ?? Number.NaN;
  }

  /** The error code of the RST_STREAM that ends this stream. */
  async resetCode(stream: number): Promise<number> {
    return (await this.frame(types.resetStream, stream)).payload.readUInt32BE(0);
  }

  /** All data on this stream so far. */
  data(stream: number): Buffer {
    const mine = this.frames.filter((one) => one.type === types.data && one.stream === stream);
    return Buffer.concat(mine.map(({ payload }) => payload));
  }

  /** Waits until these bytes, in hexadecimal digits, have come on this stream. */
  async untilData(stream: number, digits: string): Promise<void> {
    await this.until(() => this.data(stream).includes(hex(digits)));
    if (!this.data(stream).includes(hex(digits))) throw new Error(`There is only ${this.data(stream).toString('hex')}`);
  }

  /** Waits until everything that was sent has been dealt with: answers come in order. */
  async roundTrip(): Promise<void> {
    const answers = () => this.frames.filter((one) => one.type === types.ping && one.flags === flags.acknowledgement);
    const { length } = answers();
    this.write(pingFrame());
    await this.until(() => answers().length > length);
  }

  async end(): Promise<void> {
    await this.until(() => false);
  }

  #receive(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    if (this.#unread.length < this.#prefaceLength) return;
    if (!preface.subarray(0, this.#prefaceLength).equals(this.#unread.subarray(0, this.#prefaceLength))) {
      this.otherProtocol = this.#unread.toString('latin1');
      return void this.socket.emit('news');
    }
    this.#unread = this.#unread.subarray(this.#prefaceLength);
    this.#prefaceLength = 0;
    while (this.#unread.length >= 9 && this.#unread.length >= 9 + this.#unread.readUIntBE(0, 3)) this.#readFrame();
    this.socket.emit('news');
  }

  #readFrame(): void {
    const bytes = this.#unread;
    const end = 9 + bytes.readUIntBE(0, 3);
    const [type, flag] = [bytes.readUInt8(3), bytes.readUInt8(4)];
    const payload = Buffer.from(bytes.subarray(9, end));
    this.#unread = bytes.subarray(end);
    this.frames.push({ type, flags: flag, stream: bytes.readUInt32BE(5), payload });
    if (!this.acknowledges || flag === flags.acknowledgement) return;
    if (type === types.settings) this.write(frame(types.settings, flags.acknowledgement, 0));
    if (type === types.ping) this.write(frame(types.ping, flags.acknowledgement, 0, payload));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** A server made of bare sockets. */
export interface RawHttp2Server extends AsyncDisposable {
  readonly url: string;
  /** Every connection so far. */
  readonly peers: readonly RawHttp2[];
}

/**
 * @param speak called for each connection, in the order in which they come
 * @param allowHalfOpen whether it keeps its side open when a client has ended the other one
 */
export async function rawHttp2Server(
  speak: (peer: RawHttp2, index: number) => unknown,
  { allowHalfOpen = false } = {},
): Promise<RawHttp2Server> {
  const peers: RawHttp2[] = [];
  const server: Server = createServer({ allowHalfOpen }, (socket) => {
    const peer = new RawHttp2(socket, 'server');
    peers.push(peer);
    speak(peer, peers.length - 1);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    peers,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of peers) socket.destroy();
      await closed;
    },
  };
}
