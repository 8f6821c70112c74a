/** What the specs use of websocket-driver, which has no types of its own. */
declare module 'websocket-driver' {
  import type { EventEmitter } from 'node:events';
  import type { Duplex } from 'node:stream';

  interface Driver extends EventEmitter {
    readonly version: string;
    readonly io: Duplex;
    readonly messages: Duplex;
    start(): boolean;
    text(message: string): boolean;
    close(reason?: string, code?: number): boolean;
  }
  const driver: {
    server(options: { allowDrafts?: boolean }): Driver;
    client(url: string): Driver;
  };
  export default driver;
}
