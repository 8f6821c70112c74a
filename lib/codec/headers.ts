/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isToken(text: string): boolean {
  return token.test(text);
}

/** The elements of a comma-separated header value (RFC 9110 §5.6.1), without the white space around them. */
export function splitList(value: string): string[] {
  return value.split(',').map(trimWhitespace);
}

/** Does a comma-separated header name this token, in any case? */
export function hasToken(value: string | undefined, wanted: string): boolean {
  return value !== undefined && splitList(value).some((element) => element.toLowerCase() === wanted);
}

/**
 * The subprotocols of an offer: non-empty tokens, each once (RFC 6455 §4.1). Returns undefined for a malformed list.
 */
export function parseSubprotocols(value: string | undefined): string[] | undefined {
  if (value === undefined) return [];
  const names = splitList(value);
  return names.every(isToken) && new Set(names).size === names.length ? names : undefined;
}

/** Trims SP and HTAB, by index: a regular expression over a peer's spaces can take quadratic time. */
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
 * Is this a well-formed `Sec-WebSocket-Extensions` value (RFC 6455 §9.1)? One pass, no backtracking: quoted strings with
 * endless escapes have stopped other servers. A quoted value must be a token once unquoted.
 */
export function isExtensionList(value: string): boolean {
  let at = 0;
  const skipSpace = () => {
    while (at < value.length && isWhitespace(value.charCodeAt(at))) at++;
  };
  const readToken = () => {
    const from = at;
    while (at < value.length && isToken(value.charAt(at))) at++;
    return at > from;
  };
  const readQuoted = () => {
    let content = '';
    at++;
    while (at < value.length && value[at] !== '"') {
      if (value[at] === '\\') at++;
      content += value.charAt(at++);
    }
    return value[at++] === '"' && isToken(content);
  };
  for (;;) {
    skipSpace();
    if (!readToken()) return false;
    skipSpace();
    while (value[at] === ';') {
      at++;
      skipSpace();
      if (!readToken()) return false;
      skipSpace();
      if (value[at] === '=') {
        at++;
        skipSpace();
        if (!(value[at] === '"' ? readQuoted() : readToken())) return false;
        skipSpace();
      }
    }
    if (at === value.length) return true;
    if (value[at++] !== ',') return false;
  }
}

/**
 * Does this origin (RFC 6454 §6.1) name the host that the request was sent to? The scheme is left out: a proxy that ends
 * TLS in front of us changes it.
 */
export function isSameOrigin(origin: string, host: string | undefined): boolean {
  try {
    const { protocol, host: originHost } = new URL(origin);
    // Parsed with the origin's scheme, so that its default port falls away on both sides.
    return host !== undefined && originHost !== '' && new URL(`${protocol}//${host}`).host === originHost;
  } catch {
    return false; // 'null', or not a URL
  }
}
