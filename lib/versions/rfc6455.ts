import { acceptKey, isWebSocketKey } from '../codec/acceptKey';
import { createWebSocketKey } from '../codec/random';
import type { ProtocolVersion } from '../contracts';
import { WebSocketError } from '../errors';
import { checkUpgradeAnswer } from './clientAnswers';
import { FrameDecoder } from './frameDecoder';
import { rfc6455Encoder } from './rfc6455Encoder';
import { layouts } from './rfc6455Frames';

/**
 * RFC 6455 (version 13), and the drafts hybi-07 to -12 (versions 7 and 8), which differ from it in the name of one
 * header.
 */
export const rfc6455: ProtocolVersion = {
  versions: ['13', '8', '7'],
  byDefault: true,
  capabilities: {
    binary: true,
    fragments: true,
    ping: true,
    close: true,
    closeCode: true,
    extensions: true,
    declineProtocol: true,
  },
  claims: (headers) => headers['sec-websocket-version'],
  originHeader: (version) => (version === '13' ? 'origin' : 'sec-websocket-origin'),
  extendedConnect: {
    version: '13',
    headers: (origin) => ({ 'Sec-WebSocket-Version': '13', ...(origin === undefined ? {} : { Origin: origin }) }),
  },
  protocolHeader: 'Sec-WebSocket-Protocol',
  answer({ headers }) {
    const key = headers['sec-websocket-key'];
    // Only one Sec-WebSocket-Key is allowed (RFC 6455 §11.3.1). Node joins two headers by a comma, which no valid key
    // has.
    if (key === undefined || !isWebSocketKey(key)) {
      throw new WebSocketError(
        'WS_ERR_INVALID_HANDSHAKE',
        'the header Sec-WebSocket-Key must be 16 bytes in base64, and must be sent once',
        {
          statusCode: 400,
        },
      );
    }
    return {
      statusMessage: 'Switching Protocols',
      headers: { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': acceptKey(key) },
    };
  },
  connect(version, _location, origin) {
    const key = createWebSocketKey();
    const headers: Record<string, string> = {
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Version': version,
    };
    if (origin !== undefined) headers[version === '13' ? 'Origin' : 'Sec-WebSocket-Origin'] = origin;
    return {
      headers,
      replySize: 0,
      verify(answer) {
        checkUpgradeAnswer(answer);
        // Node joins two headers by a comma, so two of them do not match and are refused (RFC 6455 §4.1).
        if (answer.headers['sec-websocket-accept']?.trim() === acceptKey(key)) return;
        throw new WebSocketError(
          'WS_ERR_INVALID_HANDSHAKE',
          'the header Sec-WebSocket-Accept does not match the Sec-WebSocket-Key of the request',
        );
      },
    };
  },
  decoder: (role, options) => new FrameDecoder(layouts[role], options),
  encoder: rfc6455Encoder,
};
