import type { ExtensionOptions, Incoming, Role, Version } from '../contracts';

/** Whoever reads from and writes to the pipeline: the WebSocket. */
export interface PipelineOwner {
  /** A message or a control frame has come. False stops the reading until `resumeReading()`. */
  receive(item: Incoming): boolean;
  /** Nothing more will come, and all that came has been received. The error says why, unless the peer just ended. */
  ended(error: Error | undefined): void;
  /** `offer()` takes items again. */
  drained(): void;
  /** The byte stream is gone. */
  closed(): void;
}

export interface PipelineOptions extends ExtensionOptions {
  readonly role: Role;
  readonly version: Version;
  /** The extensions that were agreed on, '' for none. */
  readonly extensions: string;
  readonly maxMessageSize: number;
  /** Whether messages are received in parts, where they come so. */
  readonly parts: boolean;
  /** Milliseconds that the last bytes may take to leave, and the peer to end its side, once we have ended ours. */
  readonly closeTimeout: number;
}
