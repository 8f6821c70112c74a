import { type WebSocket, WebSocketError } from '../../lib/webSocketHandler';

/** The names of close codes (RFC 6455 §7.4.1, and IANA's registry). */
const meanings: Readonly<Record<number, string>> = {
  1000: 'normal closure',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no code',
  1007: 'invalid payload',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
};

/** Says what was agreed upon in the handshake. */
export function describeOpening({ version, protocol, extensions }: WebSocket): string {
  const agreed = [`version ${version}`, protocol && `subprotocol ${protocol}`, extensions];
  return `connected: ${agreed.filter((each) => each !== '').join(', ')}`;
}

/** Says with what code and reason the connection was closed. */
export function describeClose(code: number, reason: string): string {
  const meaning = meanings[code] ? ` (${meanings[code]})` : '';
  return `closed: ${code}${meaning}${reason && `, ${reason}`}`;
}

/** Characters of a refusal's body that are printed. */
const enough = 500;

export function describeError(error: Error): string {
  if (!(error instanceof WebSocketError)) return error.message;
  const body = error.body?.toString().trim() ?? '';
  const more = body.length > enough ? `${body.slice(0, enough)}…` : body;
  return `${error.code}: ${error.message}${more && `\n${more}`}`;
}
