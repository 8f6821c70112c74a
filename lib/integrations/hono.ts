import { AsyncResource } from 'node:async_hooks';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Context, Env, Input } from 'hono';
import { checkConnectOptions } from '../options';
import type { ConnectOptions, HttpResponse, WebSocket } from '../webSocketHandler';
import { acceptInPlaceOf, callHandler, upgradeRequired } from './route';

/** Marks the response of Hono that stands for the 101, because `new Response()` refuses the status 101. */
const mark = { Upgrade: 'websocket' };
const notForAcceptance = new Set(['upgrade', 'content-type', 'content-length']);

/**
 * Makes a handler for a route of Hono, on `@hono/node-server`, that accepts WebSockets. The 101 is sent after all
 * middleware, with the headers and cookies of its response. Then the handler is called. Middleware sees a 200 without a
 * body. If it sets another status, that response is sent, and the WebSocket is refused.
 * @param handler what it throws or rejects with ends the WebSocket with 1011, and is printed, as Hono does
 * @param options those of `connect()`
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for an option that `connect()` does not accept
 * @example
 * app.get('/chat/:room', webSocket((ws, c) => ws.pipe(rooms.join(c.req.param('room'))).pipe(ws)));
 */
// Hono's own helpers have these defaults too. Without them, a handler could not use variables and parameters that Hono
// does not infer.
// biome-ignore lint/suspicious/noExplicitAny: see above
export default function webSocket<E extends Env = any, P extends string = any, I extends Input = object>(
  handler: (webSocket: WebSocket, c: Context<E, P, I>) => unknown,
  options: ConnectOptions = {},
): (c: Context<E, P, I>) => Response {
  checkConnectOptions(options);
  return (c) => {
    const { incoming, outgoing } = (c.env ?? {}) as Partial<NodeBindings>;
    const ws = outgoing?.webSocket;
    if (outgoing === undefined || ws === undefined) {
      const { message, statusCode, headers } = upgradeRequired(incoming ?? { httpVersionMajor: 1 });
      return c.newResponse(message, statusCode as 426, headers as Record<string, string>);
    }
    const accept = ({ ...headers }: OutgoingHttpHeaders) => {
      for (const name of Object.keys(headers)) if (notForAcceptance.has(name.toLowerCase())) delete headers[name];
      ws.connect({ ...options, headers: { ...headers, ...options.headers } });
      void callHandler(
        ws,
        () => handler(ws, c),
        (error) => console.error(error),
      );
    };
    // The server of Hono writes the head outside of the asynchronous context of this handler.
    const bound = AsyncResource.bind((_status: unknown, headers: unknown) => accept(headers as OutgoingHttpHeaders));
    acceptInPlaceOf('writeHead', outgoing, isAcceptance, bound as (...parameters: unknown[]) => void);
    return c.body(null, 200, mark);
  };
}

/** What `@hono/node-server` gives to an application. */
interface NodeBindings {
  readonly incoming: { readonly httpVersionMajor: number };
  readonly outgoing: HttpResponse;
}

function isAcceptance(statusCode: unknown, headers: unknown): boolean {
  const fields = Object.entries((headers ?? {}) as object);
  return (
    statusCode === 200 && fields.some(([name, value]) => name.toLowerCase() === 'upgrade' && value === mark.Upgrade)
  );
}
