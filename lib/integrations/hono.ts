import { AsyncResource } from 'node:async_hooks';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Context, Env, Input } from 'hono';
import type { ConnectOptions, HttpResponse, WebSocket } from '../webSocketHandler';
import { acceptInPlaceOf, callHandler, upgradeRequired } from './route';

/** What a response of Hono has, and what is not for the 101. A 101 itself cannot be made: `new Response()` refuses the status. */
const mark = { Upgrade: 'websocket' };
const notForAcceptance = new Set(['upgrade', 'content-type', 'content-length']);

/**
 * Makes a handler for a route of Hono, on `@hono/node-server`, that accepts WebSockets. The 101 leaves after all middleware, with the header
 * fields and cookies of its response; and then the handler is called. Middleware sees a 200 without a body; any other status is the answer.
 * @param handler what it throws or rejects with ends the WebSocket with 1011, and is printed, as Hono does
 * @param options those of `connect()`
 * @example
 * app.get('/chat/:room', webSocket((ws, c) => ws.pipe(rooms.join(c.req.param('room'))).pipe(ws)));
 */
// As Hono's own helpers do it: without these defaults, the handler could not name variables and parameters where Hono infers nothing.
// biome-ignore lint/suspicious/noExplicitAny: see above
export default function webSocket<E extends Env = any, P extends string = any, I extends Input = object>(
  handler: (webSocket: WebSocket, c: Context<E, P, I>) => unknown,
  options: ConnectOptions = {},
): (c: Context<E, P, I>) => Response {
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
