/**
 * The close codes of RFC 6455 §7.4.1 and of IANA's WebSocket Close Code Number Registry.
 * @example
 * ws.close(closeCodes.policyViolation, 'log in first');
 */
export const closeCodes = {
  /** The purpose of the connection is fulfilled. */
  normal: 1000,
  /** The server stops, or the page is left. */
  goingAway: 1001,
  /** The peer has broken the protocol. */
  protocolError: 1002,
  /** The endpoint does not accept this type of message, for example binary messages. */
  unsupportedData: 1003,
  /** Never sent: the peer's Close frame had no code. */
  noStatus: 1005,
  /** Never sent: the connection ended without a Close frame. */
  abnormal: 1006,
  /** The content of a message does not fit its type, for example text that is not UTF-8. */
  invalidPayload: 1007,
  /** A message violates a rule of the endpoint, and no other code fits. */
  policyViolation: 1008,
  /** A message is larger than the endpoint accepts. */
  messageTooBig: 1009,
  /** The client needs an extension that the server did not accept. */
  missingExtension: 1010,
  /** The endpoint cannot go on, and what it has sent may be incomplete. */
  internalError: 1011,
  /** The server restarts: connect again, after a random delay. */
  serviceRestart: 1012,
  /** The server is overloaded: connect again later. */
  tryAgainLater: 1013,
  /** A gateway received an invalid answer from the server behind it. */
  badGateway: 1014,
} as const;

/**
 * Returns whether a Close frame may have this code: 1004, 1005, 1006 and 1015 are reserved (RFC 6455 §7.4.1), 1016 to
 * 2999 are unassigned (RFC 6455 §7.4.2).
 */
export function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== closeCodes.noStatus && code !== closeCodes.abnormal;
}

/**
 * Returns whether a peer that closes with this code has sent everything: true for 1000, 1001, and no code (1005). Every
 * other code means that the peer stopped early.
 */
export function isCleanCloseCode(code: number): boolean {
  return code === closeCodes.normal || code === closeCodes.goingAway || code === closeCodes.noStatus;
}
