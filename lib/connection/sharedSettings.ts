import type { Agreement, Capabilities, Role } from '../contracts';
import { type ConnectionOptions, connectionSettings } from '../options';
import type { ConnectionSettings } from './connectionOwner';

const known = new WeakMap<ConnectionOptions, Map<string, ConnectionSettings>>();

/** What a connection goes by: one object for all connections that have the same options, and have agreed on the same. */
export function sharedSettings(
  options: ConnectionOptions,
  role: Role,
  { version, extensions }: Agreement,
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
    settings = { role, version, extensions, ...connectionSettings(options, capabilities) };
    variants.set(key, settings);
  }
  return settings;
}
