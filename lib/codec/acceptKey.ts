import { hash } from 'node:crypto';

/** The GUID that is appended to the key (RFC 6455 §1.3). */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * 16 bytes in base64 (RFC 6455 §4.1): 22 characters and the padding. The last character holds two bits, so it is one of
 * four.
 */
const keyFormat = /^[+/0-9A-Za-z]{21}[AQgw]==$/;

/** Whether a header value is a valid `Sec-WebSocket-Key`. */
export function isWebSocketKey(key: string): boolean {
  return keyFormat.test(key);
}

/** Returns the `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  // It takes half the time of createHash().
  return hash('sha1', key + guid, 'base64');
}
