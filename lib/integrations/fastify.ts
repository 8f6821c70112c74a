import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RouteGenericInterface,
  RouteShorthandOptions,
} from 'fastify';
import {
  type CloseOptions,
  type ConnectOptions,
  configureServer,
  type HttpServer,
  type ServerOptions,
  type WebSocket,
  type WebSocketServer,
} from '../webSocketHandler';
import { prepareRoute, sendAcceptance } from './fastifyReply';
import { callHandler } from './route';

/** The options of the Fastify plugin: those of `configureServer()`, and how the WebSockets are closed. */
export interface FastifyWebSocketOptions extends ServerOptions {
  /** The options of `close()` of the WebSocket server, which `app.close()` calls. */
  close?: CloseOptions;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The WebSockets of this server: what `configureServer()` has returned. */
    webSocketServer: WebSocketServer;
  }

  interface RouteShorthandMethod<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger,
  > {
    /**
     * A route for WebSockets. Its handler is called after all hooks, with the accepted WebSocket.
     * @param opts `webSocket`: true, or the options of `connect()`
     */
    // biome-ignore lint/style/useShorthandFunctionType: it is merged with Fastify's interface
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: RouteShorthandOptions<
        RawServer,
        RawRequest,
        RawReply,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger
      > & { webSocket: true | ConnectOptions },
      handler: (
        this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
        webSocket: WebSocket,
        request: FastifyRequest<
          RouteGeneric,
          RawServer,
          RawRequest,
          SchemaCompiler,
          TypeProvider,
          ContextConfig,
          Logger
        >,
      ) => unknown,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: whatever servers, loggers and type providers the instance has
type AnyInstance = FastifyInstance<any, any, any, any, any>;

/** Makes `configureServer()` a part of a Fastify instance, without anything for its routes. */
export function configureInstance(app: AnyInstance, { close, ...options }: FastifyWebSocketOptions): WebSocketServer {
  const handle = configureServer(app.server as HttpServer, options);
  app.decorate('webSocketServer', handle);
  app.addHook('preClose', async () => {
    // Fastify would take what the hook resolves with for an error.
    await handle.close(close);
  });
  return handle;
}

/**
 * The Fastify plugin: routes with `{ webSocket: true }` take WebSockets, after all hooks, and `app.close()` closes them.
 * @example
 * await app.register(plugin);
 * app.get('/chat/:room', { webSocket: true, preHandler: login }, (ws, request) => ws.pipe(rooms.join(request.params.room)).pipe(ws));
 */
async function plugin(app: AnyInstance, options: FastifyWebSocketOptions): Promise<void> {
  configureInstance(app, options);
  app.addHook('onRoute', (route) => {
    const { webSocket } = route as { webSocket?: true | ConnectOptions };
    if (webSocket === undefined) return;
    const handler = route.handler as unknown as (webSocket: WebSocket, request: FastifyRequest) => unknown;
    const connectOptions = webSocket === true ? {} : webSocket;
    route.handler = function (request, reply) {
      const log = (error: unknown) => request.log.error(error);
      sendAcceptance(reply, connectOptions, (ws) => void callHandler(ws, () => handler.call(this, ws, request), log));
    };
    prepareRoute(route);
  });
}

// The mark of Fastify, which the package fastify-plugin sets as well: what the plugin adds is for the instance that registers it, not only
// for a child of it.
export default Object.assign(plugin, { [Symbol.for('skip-override')]: true });
