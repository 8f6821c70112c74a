import type { OutgoingHttpHeaders } from 'node:http';
import { type HttpRequest, type HttpResponse, type WebSocket, WebSocketError } from '../webSocketHandler';

/**
 * The error for an ordinary request to a route that takes WebSockets only. A framework answers with its `statusCode` and `headers`, as with
 * those of every HTTP error.
 */
export function upgradeRequired({ httpVersionMajor }: Pick<HttpRequest, 'httpVersionMajor'>): WebSocketError {
  const detail = 'the request does not ask for a WebSocket';
  // HTTP/2 has no upgrades, and forbids the header field (RFC 9113 §8.2.2).
  if (httpVersionMajor >= 2) return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode: 400 });
  const headers = { Upgrade: 'websocket', Connection: 'Upgrade' };
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode: 426, headers });
}

/** The status that a framework shows to its hooks and logs for an acceptance. Node takes no 101 for a response over HTTP/2. */
export function acceptanceStatus({ httpVersionMajor }: Pick<HttpRequest, 'httpVersionMajor'>): number {
  return httpVersionMajor >= 2 ? 200 : 101;
}

/**
 * Calls the handler of an accepted WebSocket. If it fails, at once or later, the WebSocket ends with 1011, and the error is reported, unless
 * it is the one by which the WebSocket has ended: that is the peer's doing.
 */
export function callHandler(
  webSocket: WebSocket,
  handler: () => unknown,
  report: (error: unknown) => void,
): Promise<void> {
  return new Promise<unknown>((resolve) => resolve(handler())).then(
    () => {},
    (error: unknown) => {
      if (error === webSocket.errored) return;
      webSocket.destroy();
      report(error);
    },
  );
}

/**
 * For frameworks that send a response after all of their middleware: when the head of the response is written, and is the one of the
 * acceptance, calls `accept` in its place. Every other head is written as it is.
 * @param isAcceptance whether a response with this status accepts the WebSocket
 * @param accept gets the header fields that `writeHead()` was called with
 */
export function acceptAtHead(
  response: HttpResponse,
  isAcceptance: (statusCode: number) => boolean,
  accept: (headers: OutgoingHttpHeaders) => void,
): void {
  type WriteHead = (statusCode: number, ...rest: unknown[]) => unknown;
  const owner = response as unknown as { writeHead: WriteHead };
  const { writeHead } = owner;
  let accepting = false;
  owner.writeHead = (statusCode, ...rest) => {
    // connect() itself calls writeHead(), and hooks below this one must see that call.
    if (accepting || !isAcceptance(statusCode)) return writeHead.call(response, statusCode, ...rest);
    accepting = true;
    try {
      accept((rest.find((each) => typeof each === 'object') ?? {}) as OutgoingHttpHeaders);
    } catch (error) {
      // Nothing was sent: the framework can still answer with its error page, or by accepting.
      accepting = false;
      throw error;
    }
    return response;
  };
}
