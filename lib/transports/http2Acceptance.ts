import type { Http2ServerResponse, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';

/**
 * Header fields that describe the body of an ordinary response, or a connection (RFC 9113 §8.2.2). Middleware may have
 * set them; on a byte stream they are wrong, and some of them make Node throw.
 */
const forbiddenFields = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Sends the 200 that accepts an extended CONNECT (RFC 8441 §5) through `response.writeHead()`, so that header hooks and
 * access logs see it. Hooks may change the response as they change any other response. `stream.respond()`, which Node
 * calls after all of them, then sets the fields that the handshake needs.
 * @param answer the header fields of the handshake
 */
export function sendAcceptance(
  response: Http2ServerResponse,
  stream: ServerHttp2Stream,
  answer: Readonly<Record<string, string>>,
): void {
  const { respond } = stream;
  const decorated = Object.hasOwn(stream, 'respond');
  stream.respond = (headers = {}, options = {}) => {
    // If the client has left, respond() of Node 20.19 would throw, although this is no mistake of the program.
    if (stream.closed || stream.destroyed) return;
    respond.call(stream, acceptanceHeaders(headers, answer), { ...options, endStream: false });
  };
  try {
    response.writeHead(200);
    // A hook has not called the original writeHead().
    if (!stream.headersSent) stream.respond(response.getHeaders());
    // Access logs must show the status that was sent.
    response.statusCode = 200;
  } finally {
    if (decorated) stream.respond = respond;
    else Reflect.deleteProperty(stream, 'respond');
  }
}

function acceptanceHeaders(
  headers: OutgoingHttpHeaders,
  answer: Readonly<Record<string, string>>,
): OutgoingHttpHeaders {
  const kept = Object.entries(headers).filter(([name]) => {
    const lowered = name.toLowerCase();
    return !forbiddenFields.has(lowered) && !lowered.startsWith('sec-websocket-');
  });
  return { ...Object.fromEntries(kept), ...answer, ':status': 200 };
}
