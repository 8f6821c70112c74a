import { Duplex } from 'node:stream';
import { parseExtensions } from './codec/headers';
import type { Message, Role, Version } from './contracts';
import { answerExtensions, offerExtensions } from './extensions';
import { checkOptions, connectionOptionNames, defaults, type Streamed, type WholeMessages } from './options';
import { protocolVersion } from './versions';
import type { MessageStream } from './websocket/messageStream';
import { WebSocket } from './websocket/webSocket';

export interface PairOptions extends WholeMessages {
  /** The subprotocol that both ends have agreed on. Default none. */
  protocol?: string;
  /** The version that both ends speak. Default '13'. */
  version?: Version;
}

type Pair<M extends Message | MessageStream> = [server: WebSocket<M>, client: WebSocket<M>];

/**
 * Two WebSockets joined without a socket, for tests: everything between them, frames, masking, the close handshake, is as
 * over a network.
 * @returns the server's end and the client's end, open
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
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

/** Two byte streams, each of which reads what the other writes, as the ends of a socket do. */
function createBytePair(): [Duplex, Duplex] {
  const one = new ByteEnd();
  const other = new ByteEnd();
  one.peer = other;
  other.peer = one;
  return [one, other];
}

class ByteEnd extends Duplex {
  peer: ByteEnd | undefined;
  /** Says that the peer has room for what was written last. */
  #taken: (() => void) | undefined;

  override _read(): void {
    this.peer?.written();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // Through the event loop, as over a network: neither end runs inside a call of the other.
    setImmediate(() => {
      let hasRoom: boolean | undefined;
      try {
        hasRoom = this.peer?.push(chunk);
      } finally {
        // Also if a listener of the other end's program has thrown: the bytes were taken.
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
    // Like a reset: the other end closes without having seen an end.
    if (this.peer?.readableEnded === false) setImmediate(() => this.peer?.destroy());
    // What the peer was given last has left.
    this.written();
    done(error);
  }

  /** The peer reads on. */
  written(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }
}
