import { pipeline, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { MessageStream, WebSocket } from '../lib/webSocketHandler';

/** A file on its way through this server, which keeps no more of it than one read of the socket. */
class Transfer {
  received = 0;
  checksum = 0;
  webSocket?: WebSocket<MessageStream>;
  #resume = () => {};
  #mayPass = Promise.resolve();

  /** Passes the pieces of a message on. While it is paused nothing is read, and so the browser cannot send. */
  async *pass(message: MessageStream): AsyncGenerator<Buffer> {
    for await (const piece of message as AsyncIterable<Buffer>) {
      await this.#mayPass;
      this.received += piece.length;
      this.checksum = crc32(piece, this.checksum);
      yield piece;
    }
  }

  obey(command: string): void {
    this.#resume();
    if (command === 'pause') {
      this.#mayPass = new Promise((resolve) => {
        this.#resume = resolve;
      });
    }
    if (command === 'cancel') this.webSocket?.destroy();
  }

  /** Ten times a second, as JSON. */
  async *progress(): AsyncGenerator<string> {
    for (;;) {
      const { received, checksum } = this;
      yield JSON.stringify({ received, checksum, memory: process.memoryUsage.rss() });
      await delay(100);
    }
  }
}

const transfers = new Map<string, Transfer>();

/** Takes `pause`, `resume` and `cancel` for the transfer that the query names, and tells of its progress. */
export function filesControl(ws: WebSocket, query: URLSearchParams): void {
  const id = query.get('id') ?? '';
  const transfer = new Transfer();
  transfers.set(id, transfer);
  ws.on('message', (command) => transfer.obey(command.toString()));
  ws.connect();
  pipeline(Readable.from(transfer.progress()), ws, () => {
    // The page was left: nobody could resume.
    transfer.obey('cancel');
    transfers.delete(id);
  });
}

/** Sends each message back while it is received, as one message of any size. */
export async function files(ws: WebSocket, query: URLSearchParams): Promise<void> {
  const transfer = transfers.get(query.get('id') ?? '');
  if (!transfer) return void ws.connect().close(4404, 'There is no such transfer');
  transfer.webSocket = ws.connect({ messages: 'stream' });
  try {
    for await (const message of transfer.webSocket) {
      transfer.received = transfer.checksum = 0;
      await new Promise<void>((resolve, reject) => {
        transfer.webSocket?.write(transfer.pass(message), (error) => (error ? reject(error) : resolve()));
      });
    }
  } catch (error) {
    // The browser was lost, or has cancelled: this ends the transfer, not the server.
    console.log(`A file was not transferred: ${(error as Error).message}`);
  }
}
