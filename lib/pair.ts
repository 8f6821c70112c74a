import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers';
import { parseExtensions } from './codec/headers';
import type { Message, Role, Version } from './contracts';
import { answerExtensions, offerExtensions } from './extensions';
import { checkOptions, connectionOptionNames, defaults, type Streamed, type WholeMessages } from './options';
import { protocolVersion } from './versions';
import type { MessageStream } from './websocket/messageStream';
import { WebSocket } from './websocket/webSocket';

/** The options of `createPair()`. The options of a connection apply to both ends. */
export interface PairOptions extends WholeMessages {
  /** The subprotocol that both ends have agreed on. Default `''`: none. */
  protocol?: string;
  /** The version of the protocol that both ends speak. Default `'13'`. */
  version?: Version;
}

type Pair<M extends Message | MessageStream> = [server: WebSocket<M>, client: WebSocket<M>];

/**
 * Returns two open WebSockets, a server's and a client's, that are connected in memory, without a socket: for tests.
 * Frames, masking and the close handshake are the same as over a network. There is no opening request.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 * @example
 * const [server, client] = createPair({ protocol: 'chat' });
 * server.pipe(server);
 * client.write('hello');
 */
export function createPair(options?: PairOptions): Pair<Message>;
export function createPair(options: Streamed<PairOptions>): Pair<MessageStream>;
export function createPair(options: PairOptions | Streamed<PairOptions>): Pair<Message | MessageStream>;
export function createPair(options: PairOptions | Streamed<PairOptions> = {}): Pair<Message | MessageStream> {
  checkOptions(options, 'protocol', 'version', ...connectionOptionNames);
  const { version = defaults.version, protocol = '' } = options;
  const offer = protocolVersion(version).capabilities.extensions ? offerExtensions(options) : '';
  // As in an opening handshake: the client offers, the server answers.
  const extensions = answerExtensions(parseExtensions(offer || undefined) ?? [], options);
  const [serverBytes, clientBytes] = createBytePair();
  const agreement = { transport: 'pair', version, protocol, extensions } as const;
  const end = (role: Role, stream: Duplex) =>
    new WebSocket({
      role,
      options,
      version,
      dial({ opened }) {
        opened({ stream, head: Buffer.alloc(0) }, agreement);
        return () => {};
      },
    });
  return [end('server', serverBytes), end('client', clientBytes)];
}

/** Returns two byte streams. The bytes written to one of them are read from the other. */
function createBytePair(): [Duplex, Duplex] {
  const one = new ByteEnd();
  const other = new ByteEnd();
  one.peer = other;
  other.peer = one;
  return [one, other];
}

/** One of two byte streams that are connected in memory. It has the backpressure, the end and the reset of a socket. */
class ByteEnd extends Duplex {
  peer: ByteEnd | undefined;
  /** The callback of the last write, while the peer's read queue is full. */
  #taken: (() => void) | undefined;

  override _read(): void {
    this.peer?.written();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // As over a network, the bytes are received in a later turn of the event loop: neither end runs inside a call of
    // the other.
    setImmediate(() => {
      // The other end is destroyed, so the bytes will not be read. An operating system answers them with a reset.
      if (this.peer?.destroyed) this.destroy();
      let hasRoom: boolean | undefined;
      try {
        hasRoom = this.peer?.push(chunk);
      } finally {
        // Also if a listener of the other end's program has thrown: the bytes were received.
        if (hasRoom === false) this.#taken = done;
        else done();
      }
    });
  }

  override _final(done: () => void): void {
    this.peer?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // As after a reset, the other end closes without 'end'.
    if (this.peer?.readableEnded === false) setImmediate(() => this.peer?.destroy());
    // At both ends, call the callback of a waiting write: its bytes will not be read.
    this.written();
    this.peer?.written();
    done(error);
  }

  /** Called when the other end can receive more: calls the callback of the last write. */
  written(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }
}
