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

type AnyFunction = (...parameters: unknown[]) => unknown;

/**
 * For frameworks that send their response after all of their middleware: calls `accept` in place of the call of `response.writeHead()` or
 * `response.end()` that would send the acceptance. All other calls are made as they are.
 * @param isAcceptance whether the call with these parameters would send the acceptance
 * @param accept gets the parameters of the call
 */
export function acceptInPlaceOf(
  method: 'writeHead' | 'end',
  response: HttpResponse,
  isAcceptance: (...parameters: unknown[]) => boolean,
  accept: (...parameters: unknown[]) => void,
): void {
  const owner = response as unknown as Record<typeof method, AnyFunction>;
  const before = owner[method];
  let accepting = false;
  owner[method] = (...parameters) => {
    // connect() itself calls the method, and what middleware has put around it before must see that call.
    if (accepting || !isAcceptance(...parameters)) return before.apply(response, parameters);
    accepting = true;
    try {
      accept(...parameters);
    } catch (error) {
      // Nothing was sent, so the framework can still answer.
      accepting = false;
      throw error;
    }
    return response;
  };
}
