import type { ClientHandshake, HandshakeAnswer, RequestHead } from '../../lib/contracts';

type Headers = Readonly<Record<string, string>>;

/** Headers as Node gives them to the receiver: with names in lower case. */
export function receivedHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** A client's request as its server receives it. */
export function receivedRequest({ headers }: Pick<ClientHandshake, 'headers'>, location: URL): RequestHead {
  const sent = { Host: location.host, ...headers };
  return {
    headers: receivedHeaders(sent),
    rawHeaders: Object.entries(sent).flat(),
    url: location.pathname + location.search,
  };
}

/** A server's answer as its client receives it, with some headers changed. */
export function receivedAnswer({ headers }: Pick<HandshakeAnswer, 'headers'>, changed: Record<string, string> = {}) {
  return { headers: { ...receivedHeaders(headers), ...changed } };
}
