import type { Role, Transport, Version } from '../../lib/contracts';
import type { ConnectionOptions } from '../../lib/options';
import { WebSocket } from '../../lib/websocket/webSocket';

interface Terms {
  readonly options?: ConnectionOptions;
  readonly version?: Version;
  readonly extensions?: string;
}

/** A WebSocket that is open on a transport of the spec's own, without a handshake. */
export function openWebSocket(
  role: Role,
  transport: Transport,
  { options = {}, version = '13', extensions = '' }: Terms = {},
): WebSocket {
  return new WebSocket({
    role,
    options,
    version,
    dial({ opened }) {
      opened(transport, { transport: 'pair', version, protocol: '', extensions });
      return () => {};
    },
  });
}
