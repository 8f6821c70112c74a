/** The parts of `ws` that the differential target drives; `@types/ws` has only what is public. */
declare module 'ws/lib/receiver' {
  import type { Writable } from 'node:stream';

  export default class Receiver extends Writable {
    constructor(options: { isServer: boolean; maxPayload: number; extensions: object });
    on(event: 'message', listener: (payload: Buffer, binary: boolean) => void): this;
    on(event: 'ping' | 'pong', listener: (payload: Buffer) => void): this;
    on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
    on(event: 'error', listener: (error: Error & { readonly code?: string }) => void): this;
  }
}

declare module 'ws/lib/permessage-deflate' {
  export default class PerMessageDeflate {
    static readonly extensionName: string;
    constructor(options: { isServer: boolean; maxPayload: number });
    accept(offers: readonly object[]): object;
    cleanup(): void;
  }
}
