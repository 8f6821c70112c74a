import type { Agreement, Capabilities, ExtensionOptions, Role, Version } from '../contracts';
import { connectionSettings, type Marks, readableMarks, writableMarks } from './defaults';
import type { ConnectionOptions, HeartbeatSettings } from './types';

/** The settings of a connection: the options with their defaults, the role, and the result of the handshake. */
export interface ConnectionSettings extends ExtensionOptions {
  /** The options that these settings were made of. */
  readonly options: ConnectionOptions;
  readonly role: Role;
  readonly version: Version;
  readonly capabilities: Capabilities;
  /** The extensions in use, as in the server's `Sec-WebSocket-Extensions`; '' for none. */
  readonly extensions: string;
  readonly maxMessageSize: number;
  /** Whether messages are received in parts (option `messages: 'stream'`). */
  readonly parts: boolean;
  readonly readableMarks: Marks;
  readonly writableMarks: Marks;
  readonly maxBufferedAmount: number;
  /** Milliseconds; undefined for no limit. */
  readonly sendTimeout: number | undefined;
  /** Messages per second; undefined for no limit. */
  readonly maxMessageRate: number | undefined;
  /** Milliseconds; undefined for no limit. */
  readonly maxLifetime: number | undefined;
  /** Milliseconds. */
  readonly closeTimeout: number;
  /** Undefined for no keepalive pings. */
  readonly heartbeat: HeartbeatSettings | undefined;
  /** Undefined: the WebSocket decides whether to end its writable side after 'end' (`halfClose.ts`). */
  readonly allowHalfOpen: boolean | undefined;
  /** Whether the WebSocket keeps its opening request after 'open'. */
  readonly keepRequest: boolean;
}

const known = new WeakMap<ConnectionOptions, Map<string, ConnectionSettings>>();

/**
 * Returns the settings of a connection. All connections with the same options and the same result of the handshake
 * share one object.
 */
export function settingsFor(
  options: ConnectionOptions,
  role: Role,
  { version, extensions }: Pick<Agreement, 'version' | 'extensions'>,
  capabilities: Capabilities,
): ConnectionSettings {
  let variants = known.get(options);
  if (variants === undefined) {
    variants = new Map();
    known.set(options, variants);
  }
  const key = `${role} ${version} ${extensions}`;
  let settings = variants.get(key);
  if (settings === undefined) {
    settings = {
      options,
      role,
      version,
      capabilities,
      extensions,
      ...connectionSettings(options, capabilities),
      readableMarks: readableMarks(options),
      writableMarks: writableMarks(options),
    };
    variants.set(key, settings);
  }
  return settings;
}
