import type { Agreement, Capabilities, ExtensionOptions, Role, Version } from '../contracts';
import { connectionSettings, type Marks, readableMarks, writableMarks } from './defaults';
import type { ConnectionOptions, HeartbeatSettings } from './types';

/** Everything that a connection is set to: the options with their defaults, its role, and what the handshake has agreed on. */
export interface ConnectionSettings extends ExtensionOptions {
  readonly role: Role;
  readonly version: Version;
  readonly capabilities: Capabilities;
  /** The extensions in use, as the server's answer has them; '' for none. */
  readonly extensions: string;
  readonly maxMessageSize: number;
  /** Whether messages are received in parts. */
  readonly parts: boolean;
  readonly readableMarks: Marks;
  readonly writableMarks: Marks;
  readonly maxBufferedAmount: number;
  /** Milliseconds; undefined for no limit. */
  readonly sendTimeout: number | undefined;
  /** Milliseconds. */
  readonly closeTimeout: number;
  /** Undefined for no heartbeat. */
  readonly heartbeat: HeartbeatSettings | undefined;
  /** Undefined: the WebSocket decides by who reads and writes it. */
  readonly allowHalfOpen: boolean | undefined;
}

const known = new WeakMap<ConnectionOptions, Map<string, ConnectionSettings>>();

/** Returns the settings of a connection: one object for all connections with the same options that have agreed on the same. */
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
