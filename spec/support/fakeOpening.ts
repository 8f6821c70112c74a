import { PassThrough } from 'node:stream';
import type { Acceptance, HttpRequest, Opening, Transport } from '../../lib/contracts';
import { rfc6455 } from '../../lib/versions/rfc6455';

/** A request that waits for `connect()`, and then opens at once. It notes how often it is given up. */
export class FakeOpening implements Opening {
  readonly transport = 'http1';
  readonly version = '13';
  readonly wire = rfc6455;
  readonly extensions = [];
  readonly protocols: readonly string[];
  readonly stream = new PassThrough();
  readonly request = { url: '/chat', socket: this.stream } as unknown as HttpRequest;
  abandoned = 0;
  acceptance: Acceptance | undefined;
  /** Tells the WebSocket that the request cannot be accepted any more. */
  unaccepted: (how: { readonly refused: boolean }) => void = () => {};

  constructor(protocols: readonly string[] = []) {
    this.protocols = protocols;
  }

  accept(acceptance: Acceptance, opened: (transport: Transport) => void): void {
    this.acceptance = acceptance;
    opened({ stream: this.stream, head: Buffer.alloc(0) });
  }

  onUnaccepted(callback: (how: { readonly refused: boolean }) => void): void {
    this.unaccepted = callback;
  }

  abandon(): void {
    this.abandoned++;
  }
}
