import { AsyncResource } from 'node:async_hooks';
import type { FastifyReply, RouteOptions } from 'fastify';
import type { ConnectOptions, HttpResponse, WebSocket } from '../webSocketHandler';
import { acceptanceStatus, upgradeRequired } from './route';

/** For each reply that accepts a WebSocket when it is sent: the function that accepts it. */
const acceptances = new WeakMap<object, () => void>();

/**
 * Sends the reply, without a body, through all 'onSend' hooks, such as those of cookies and sessions, and then accepts the WebSocket
 * with the headers of the reply. If a hook sends another reply instead, the WebSocket is refused.
 * @param accepted called with the WebSocket as soon as it is open
 * @throws WebSocketError WS_ERR_INVALID_HANDSHAKE if the request does not ask for a WebSocket
 */
export function sendAcceptance(
  reply: FastifyReply,
  options: ConnectOptions,
  accepted: (webSocket: WebSocket) => void,
): void {
  const raw = reply.raw as HttpResponse;
  const { webSocket } = raw;
  if (webSocket === undefined) throw upgradeRequired(reply.request.raw);
  const accept = () => {
    const headers = { ...(reply.getHeaders() as ConnectOptions['headers']), ...options.headers };
    webSocket.connect({ ...options, headers });
    // Fastify must not send the reply.
    reply.hijack();
    accepted(webSocket);
  };
  // Hooks may call back in another asynchronous context, such as that of the connection to a session store.
  acceptances.set(reply, AsyncResource.bind(accept));
  reply.code(acceptanceStatus(reply.request.raw)).send();
}

/** Prepares a route for `sendAcceptance()`. Call it for each route in an 'onRoute' hook. */
export function prepareRoute(route: Pick<RouteOptions, 'onSend'>): void {
  const own = route.onSend ?? [];
  // It must be the last hook. Those of a route are called after those of its instance.
  route.onSend = [...(Array.isArray(own) ? own : [own]), acceptOnSend as never];
}

/** An 'onSend' hook: accepts the WebSocket if this reply is the one of `sendAcceptance()`. */
function acceptOnSend(
  _request: unknown,
  reply: FastifyReply,
  payload: unknown,
  done: (error: Error | null, payload?: unknown) => void,
): void {
  const accept = acceptances.get(reply);
  // Fastify calls the hooks again, with a body, for the error of a hook.
  if (accept === undefined || payload !== undefined) return done(null, payload);
  acceptances.delete(reply);
  try {
    accept();
  } catch (error) {
    // done() is not called after an acceptance: it would make Fastify send the reply.
    done(error as Error);
  }
}
