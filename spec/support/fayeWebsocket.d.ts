/** What the specs use of faye-websocket, which has no types of its own. */
declare module 'faye-websocket' {
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  export default class FayeWebSocket {
    constructor(
      request: IncomingMessage,
      socket: Duplex,
      body: Buffer,
      protocols: readonly string[],
      options: { maxLength?: number },
    );
    on(event: 'open', listener: () => void): this;
    on(event: 'message', listener: (event: { data: string | Buffer }) => void): this;
    on(event: 'close', listener: (event: { code: number; reason: string }) => void): this;
    send(message: string | Buffer): boolean;
    ping(message: string, ponged: () => void): boolean;
    close(code: number, reason: string): void;
  }
}
