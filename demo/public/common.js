export const greeting = 'Hello from your browser';

/** The ws: or wss: address of a path, which may have a query, on the server that this page came from. */
export function webSocketAddress(path) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  return address.href;
}

const meanings = {
  1000: 'normal closure',
  1001: 'going away: the server stops, or the page is left',
  1002: 'protocol error',
  1003: 'a kind of data that the other side does not take',
  1005: 'no code given',
  1006: 'the connection was refused or lost',
  1007: 'text that is not valid UTF-8',
  1008: 'against the policy of the other side',
  1009: 'a message was too big',
  1010: 'a missing extension',
  1011: 'an error on the server',
  1012: 'the server restarts',
  1013: 'try again later',
};

/** A close code in words, as RFC 6455 and the registry of close codes define them. */
export function explainClose(code, reason) {
  const meaning = meanings[code] ?? (code >= 4000 ? 'a code of the application' : 'a registered code');
  return reason === '' ? `${code}, ${meaning}` : `${code}, ${meaning}: “${reason}”`;
}
