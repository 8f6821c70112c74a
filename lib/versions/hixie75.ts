import type { ProtocolVersion } from '../contracts';
import { checkRepeated, checkUpgradeAnswer } from './clientAnswers';
import { originAndLocation, sentinelEncoder } from './hixie76';
import { Hixie76Decoder } from './hixie76Decoder';

const legacyHeaders = ['sec-websocket-key', 'sec-websocket-key1', 'sec-websocket-key2', 'sec-websocket-draft'];

/**
 * hixie-75: the frames of hixie-76 without a close frame, and a handshake without keys. The handshake does not prove
 * that the peer speaks WebSocket, so the version is off by default.
 */
export const hixie75: ProtocolVersion = {
  versions: ['draft75'],
  byDefault: false,
  capabilities: {
    binary: false,
    fragments: false,
    ping: false,
    close: false,
    closeCode: false,
    extensions: false,
    declineProtocol: false,
  },
  claims: (headers) => (legacyHeaders.some((name) => headers[name] !== undefined) ? undefined : 'draft75'),
  originHeader: () => 'origin',
  protocolHeader: 'WebSocket-Protocol',
  answer: (request, secure) => ({
    // Clients compare the first three lines byte by byte.
    statusMessage: 'Web Socket Protocol Handshake',
    headers: { Upgrade: 'WebSocket', Connection: 'Upgrade', ...originAndLocation('WebSocket', request, secure) },
  }),
  connect: (_version, location, origin = `http://${location.host}`) => ({
    headers: { Upgrade: 'WebSocket', Connection: 'Upgrade', Origin: origin },
    replySize: 0,
    verify(answer) {
      checkUpgradeAnswer(answer);
      checkRepeated(answer, 'WebSocket-Origin', origin);
      checkRepeated(answer, 'WebSocket-Location', location.href);
    },
  }),
  decoder: (role, options) => new Hixie76Decoder(role, { ...options, closes: false }),
  encoder: () => sentinelEncoder('draft75', Buffer.alloc(0)),
};
