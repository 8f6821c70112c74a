import type { OutgoingHttpHeaders } from 'node:http';
import type { ExtensionElement } from '../contracts';
import { WebSocketError } from '../errors';
import { describeValue } from './describeValue';

/** A token (RFC 9110 §5.6.2). */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether a text is a token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return token.test(text);
}

/** Returns the elements of a comma-separated header value (RFC 9110 §5.6.1), without the white space around them. */
export function splitList(value: string): string[] {
  return value.split(',').map(trimWhitespace);
}

/** Returns whether a comma-separated header value has this token, in any case. */
export function hasToken(value: string | undefined, wanted: string): boolean {
  if (value === undefined) return false;
  const lowered = value.toLowerCase();
  // Most headers have one element, so try that first.
  return lowered === wanted || splitList(lowered).includes(wanted);
}

/** Returns the subprotocols of an offer: tokens, each of them once (RFC 6455 §4.1); undefined for a malformed list. */
export function parseSubprotocols(value: string | undefined): string[] | undefined {
  if (value === undefined) return [];
  const names = splitList(value);
  return names.every(isToken) && new Set(names).size === names.length ? names : undefined;
}

/** Trims spaces and tabs. A regular expression would take quadratic time for a header with many spaces. */
function trimWhitespace(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isWhitespace(text.charCodeAt(from))) from++;
  while (to > from && isWhitespace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/**
 * Reads a header value from left to right. It takes linear time, because no pattern can match the same text in two
 * ways.
 */
class HeaderReader {
  readonly #value: string;
  #at = 0;

  constructor(value: string) {
    this.#value = value;
  }

  /** Whether everything was read. White space at the end was read by `readSymbol()`. */
  get atEnd(): boolean {
    return this.#at === this.#value.length;
  }

  readToken(): string | undefined {
    this.#take(/[ \t]*/y);
    return this.#take(/[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y);
  }

  /** Reads a quoted string (RFC 9110 §5.6.4) and returns its content without escapes. */
  readQuoted(): string | undefined {
    this.#take(/[ \t]*/y);
    return this.#take(/"(?:\\.|[^"\\])*"/sy)
      ?.slice(1, -1)
      .replaceAll(/\\(.)/gs, '$1');
  }

  readSymbol(symbol: string): boolean {
    this.#take(/[ \t]*/y);
    if (this.#value[this.#at] !== symbol) return false;
    this.#at++;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#value)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }
}

/**
 * Returns the elements of a `Sec-WebSocket-Extensions` value (RFC 6455 §9.1), or undefined for a malformed one. It
 * takes linear time: quoted strings with many escapes have been used to block servers with slower parsers.
 */
export function parseExtensions(value: string | undefined): ExtensionElement[] | undefined {
  if (value === undefined) return [];
  const reader = new HeaderReader(value);
  const elements: ExtensionElement[] = [];
  do {
    const element = readExtension(reader);
    if (element === undefined) return undefined;
    elements.push(element);
  } while (reader.readSymbol(','));
  return reader.atEnd ? elements : undefined;
}

function readExtension(reader: HeaderReader): ExtensionElement | undefined {
  const name = reader.readToken();
  if (name === undefined) return undefined;
  const parameters: [string, string | undefined][] = [];
  while (reader.readSymbol(';')) {
    const parameter = readParameter(reader);
    if (parameter === undefined) return undefined;
    parameters.push(parameter);
  }
  return { name, parameters };
}

function readParameter(reader: HeaderReader): [name: string, value: string | undefined] | undefined {
  const name = reader.readToken();
  if (name === undefined) return undefined;
  if (!reader.readSymbol('=')) return [name, undefined];
  const quoted = reader.readQuoted();
  // The content of a quoted value must be a token (RFC 6455 §9.1).
  if (quoted !== undefined) return isToken(quoted) ? [name, quoted] : undefined;
  const value = reader.readToken();
  return value === undefined ? undefined : [name, value];
}

/**
 * A `Host` value, uri-host [ ":" port ]: a reg-name or IPv4 address, or an address in brackets (RFC 9112 §3.2,
 * RFC 3986 §3.2.2).
 */
const hostValue =
  /^(?:(?:[a-z0-9\-._~!$&'()*+,;=]|%[0-9a-f]{2})*|\[[0-9a-f:.]+\]|\[v[0-9a-f]+\.[a-z0-9\-._~!$&'()*+,;=:]+\])(?::\d*)?$/i;

/**
 * Returns whether this is a valid value of a `Host` header or an `:authority`. Some parsers read an invalid value, such
 * as `a@evil`, as another host.
 */
export function isHost(value: string): boolean {
  return hostValue.test(value);
}

/**
 * Returns whether this origin (RFC 6454 §6.1) has the host that the request was sent to. The scheme is not compared,
 * because a proxy that terminates TLS in front of the server changes it.
 * @param host a value for which `isHost()` returns true
 */
export function isSameOrigin(origin: string, host: string | undefined): boolean {
  try {
    const { protocol, host: originHost } = new URL(origin);
    // The host is parsed with the scheme of the origin, so that the default port is removed from both.
    return host !== undefined && originHost !== '' && new URL(`${protocol}//${host}`).host === originHost;
  } catch {
    return false; // 'null', or not a URL
  }
}

/** The characters that a header value may not contain: all except HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5). */
const forbiddenInValue = /[^\t -~\x80-\xff]/;

/**
 * Checks the response headers of the program, before Node would throw its own errors for them.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, naming the header
 */
export function checkHeaders(headers: OutgoingHttpHeaders): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!isToken(name)) {
      throw invalidHeader(`the header name ${JSON.stringify(name)} must be a token (RFC 9110 §5.6.2)`);
    }
    for (const line of Array.isArray(value) ? value : [value]) {
      if (line !== undefined) checkHeaderValue(name, line);
    }
  }
}

function checkHeaderValue(name: string, value: unknown): void {
  // Node would send an object as '[object Object]'.
  if (!['string', 'number', 'boolean'].includes(typeof value)) {
    // An array is not printed: its values may be credentials, and error messages are logged.
    const given = Array.isArray(value) ? 'an array in an array' : describeValue(value);
    throw invalidHeader(`the header ${name} must be a string, a number or an array of strings, not ${given}`);
  }
  const [character] = forbiddenInValue.exec(String(value)) ?? [];
  if (character === undefined) return;
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  throw invalidHeader(
    `the header ${name} must have only visible characters of Latin-1, spaces and tabs (RFC 9110 §5.5), not U+${code}`,
  );
}

function invalidHeader(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', `${detail}; see responseHeaders and connect({ headers })`);
}
