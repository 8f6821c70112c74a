/** An application that listens. */
export interface Demo {
  readonly port: number;
  /** Closes the WebSockets and the server, and resolves when both are gone. */
  close(): Promise<void>;
}
