import { AsyncResource } from 'node:async_hooks';
import type { Context } from 'koa';
import { checkConnectOptions } from '../options';
import type { ConnectOptions, HttpResponse, WebSocket } from '../webSocketHandler';
import { acceptanceStatus, acceptInPlaceOf, callHandler, upgradeRequired } from './route';

/**
 * Makes a Koa middleware that accepts WebSockets. Koa sends the 101 as its response: after all middleware, with the
 * headers, the cookies and the session of the response. Then the handler is called.
 *
 * Earlier middleware sees the status 101 (over HTTP/2, 200) and no body. If it sets another status or a body, Koa sends
 * that response, and the WebSocket is refused.
 * @param handler what it throws or rejects with ends the WebSocket with 1011, and is an 'error' of the application
 * @param options those of `connect()`
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for an option that `connect()` does not accept
 * @example
 * router.get('/chat/:room', webSocket((ws, ctx) => ws.pipe(rooms.join(ctx.params.room)).pipe(ws)));
 */
export default function webSocket<C extends Context = Context>(
  handler: (webSocket: WebSocket, ctx: C) => unknown,
  options: ConnectOptions = {},
): (ctx: C) => void {
  checkConnectOptions(options);
  return (ctx) => {
    const response = ctx.res as HttpResponse;
    const ws = response.webSocket;
    if (ws === undefined) {
      const { statusCode = 400, message, headers = {} } = upgradeRequired(ctx.req);
      return ctx.throw(statusCode, message, { headers });
    }
    const status = acceptanceStatus(ctx.req);
    ctx.body = null;
    ctx.status = status;
    const accept = () => {
      ws.connect(options);
      void callHandler(
        ws,
        () => handler(ws, ctx),
        (error) => ctx.app.emit('error', error, ctx),
      );
    };
    // Koa responds outside of the asynchronous context of this middleware.
    const bound = AsyncResource.bind(accept);
    acceptInPlaceOf('end', response, () => ctx.status === status && ctx.body === null, bound);
  };
}
