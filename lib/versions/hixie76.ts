import { isUtf8 } from 'node:buffer';
import { isBytes } from '../codec/bytes';
import { challengeReply, challengeSize, createChallenge, createKey, keyNumber, replySize } from '../codec/challenge';
import type {
  ByteSink,
  ClientHandshake,
  Encodable,
  Encoder,
  HandshakeAnswer,
  ProtocolVersion,
  RequestHead,
} from '../contracts';
import { WebSocketError } from '../errors';
import { checkRepeated, checkUpgradeAnswer, refused } from './clientAnswers';
import { Hixie76Decoder } from './hixie76Decoder';
import { dataPayload, invalidItem } from './outgoingItems';

/** hixie-76, also named hybi-00: text between the bytes 00 and FF, and a handshake of two keys and a challenge. */
export const hixie76: ProtocolVersion = {
  versions: ['draft76'],
  byDefault: true,
  capabilities: {
    binary: false,
    fragments: false,
    ping: false,
    close: true,
    closeCode: false,
    extensions: false,
    declineProtocol: false,
  },
  claims(headers) {
    const draft = headers['sec-websocket-draft'];
    if (draft !== undefined) return draft === '0' ? 'draft76' : undefined;
    const hasKey = headers['sec-websocket-key1'] !== undefined || headers['sec-websocket-key2'] !== undefined;
    return hasKey ? 'draft76' : undefined;
  },
  originHeader: () => 'origin',
  protocolHeader: 'Sec-WebSocket-Protocol',
  answer: answerChallenge,
  connect: (_version, location, origin) => challengeServer(location, origin),
  decoder: (role, options) => new Hixie76Decoder(role, { ...options, closes: true }),
  encoder: () => sentinelEncoder('draft76', Buffer.of(0xff, 0x00)),
};

/** The server's part of the handshake of hixie-76 (hixie-76 §5.2), which hybi-01 to -03 have as well. */
export function answerChallenge(request: RequestHead, secure: boolean): HandshakeAnswer {
  const first = readKey(request, 'sec-websocket-key1');
  const second = readKey(request, 'sec-websocket-key2');
  return {
    statusMessage: 'WebSocket Protocol Handshake',
    headers: {
      Upgrade: 'WebSocket',
      Connection: 'Upgrade',
      ...originAndLocation('Sec-WebSocket', request, secure),
    },
    challenge: { size: challengeSize, reply: (bytes) => challengeReply(first, second, bytes) },
  };
}

/** The client's part of the handshake of hixie-76 (hixie-76 §4.1), which hybi-01 to -03 have as well. */
export function challengeServer(
  location: URL,
  origin: string = `http://${location.host}`,
  more: Readonly<Record<string, string>> = {},
): ClientHandshake {
  const first = createKey();
  const second = createKey();
  const challenge = createChallenge();
  return {
    headers: {
      Upgrade: 'WebSocket',
      Connection: 'Upgrade',
      Origin: origin,
      'Sec-WebSocket-Key1': first.key,
      'Sec-WebSocket-Key2': second.key,
      ...more,
    },
    challenge,
    replySize,
    verify(answer, reply) {
      checkUpgradeAnswer(answer);
      checkRepeated(answer, 'Sec-WebSocket-Origin', origin);
      checkRepeated(answer, 'Sec-WebSocket-Location', location.href);
      if (!reply.equals(challengeReply(first.number, second.number, challenge)))
        throw refused('the reply does not answer our challenge');
    },
  };
}

/** Returns the response headers in which the server repeats the client's origin and URL. */
export function originAndLocation(
  prefix: 'Sec-WebSocket' | 'WebSocket',
  { headers, url = '' }: RequestHead,
  secure: boolean,
): Record<string, string> {
  const location = `${secure ? 'wss' : 'ws'}://${headers.host}${url}`;
  const { origin } = headers;
  return { ...(origin !== undefined && { [`${prefix}-Origin`]: origin }), [`${prefix}-Location`]: location };
}

function readKey({ headers, rawHeaders }: RequestHead, name: string): number {
  const key = headers[name];
  // Two headers of one name are joined by a comma, which may also stand in a key, so the headers are counted.
  const count = rawHeaders.filter((raw, index) => index % 2 === 0 && raw.toLowerCase() === name).length;
  const number = count === 1 && typeof key === 'string' ? keyNumber(key) : undefined;
  if (number !== undefined) return number;
  const detail = `${name} must be sent once, and the number of its digits must be a multiple of its spaces`;
  throw new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode: 400 });
}

/**
 * Writes text between the bytes 00 and FF (hixie-76 §5.3).
 * @param closeFrame the bytes that close the connection; none in hixie-75
 */
export function sentinelEncoder(version: string, closeFrame: Uint8Array): Encoder {
  return (item, sink) => {
    if (typeof item === 'string') return writeText(Buffer.from(item), sink);
    if (isBytes(item)) throw unsupported(version, 'binary messages');
    if (item?.opcode === 'close') return closeFrame.length === 0 ? undefined : sink.append(closeFrame);
    writeText(textOf(item, version), sink);
  };
}

function textOf(item: Exclude<Encodable, string | Uint8Array>, version: string): Uint8Array {
  if (item?.opcode === 'ping' || item?.opcode === 'pong') throw unsupported(version, 'pings');
  if (item?.opcode === 'binary') throw unsupported(version, 'binary messages');
  if (item?.opcode !== 'text') {
    if (item?.opcode === 'continuation') throw unsupported(version, 'fragments');
    throw invalidItem(item);
  }
  if (item.fin === false) throw unsupported(version, 'fragments');
  const payload = dataPayload(item);
  if (typeof payload === 'string') return Buffer.from(payload);
  // A byte FF would end the frame, and the peer would read the bytes after it as another frame.
  if (!isUtf8(payload))
    throw new WebSocketError('WS_ERR_INVALID_UTF8', 'the bytes of a text message that is to be sent');
  return payload;
}

export function unsupported(version: string, what: string): WebSocketError {
  return new WebSocketError('WS_ERR_UNSUPPORTED', `${version} has no ${what}`);
}

/** Texts of up to this many bytes are copied between the bytes 00 and FF; larger ones are sent by reference. */
const copiedText = 4096;

function writeText(bytes: Uint8Array, sink: ByteSink): void {
  if (bytes.length > copiedText) {
    sink.append(Buffer.of(0x00));
    sink.append(bytes);
    sink.append(Buffer.of(0xff));
    return;
  }
  const at = sink.reserve(bytes.length + 2);
  sink.bytes[at] = 0x00;
  sink.bytes.set(bytes, at + 1);
  sink.bytes[at + 1 + bytes.length] = 0xff;
  sink.commit(bytes.length + 2);
}
