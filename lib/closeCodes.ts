/** The close codes of RFC 6455 §7.4 and of IANA's WebSocket Close Code Number Registry. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Local only: the peer's Close frame had no body. */
  noStatus: 1005,
  /** Local only: the connection ended without a Close frame. */
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  missingExtension: 1010,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  badGateway: 1014,
} as const;

/**
 * Whether a Close frame may have this code: 1004, 1005, 1006 and 1015 are reserved (RFC 6455 §7.4.1), 1016 to 2999 are unassigned
 * (RFC 6455 §7.4.2).
 */
export function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== closeCodes.noStatus && code !== closeCodes.abnormal;
}

/** Whether a peer that closes with this code has sent all it had. Every other code gives a reason to stop early. */
export function isCleanCloseCode(code: number): boolean {
  return code === closeCodes.normal || code === closeCodes.goingAway || code === closeCodes.noStatus;
}
