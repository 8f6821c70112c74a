import { inspect } from 'node:util';
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
  RouteOptions,
  RouteShorthandOptions,
} from 'fastify';
import { checkConnectOptions } from '../options';
import {
  type CloseOptions,
  type ConnectOptions,
  configureServer,
  type HttpServer,
  type ServerOptions,
  type WebSocket,
  WebSocketError,
  type WebSocketServer,
} from '../webSocketHandler';
import { prepareRoute, sendAcceptance } from './fastifyReply';
import { callHandler } from './route';

/** The options of the Fastify plugin: those of `configureServer()`, and how the WebSockets are closed. */
export interface FastifyWebSocketOptions extends ServerOptions {
  /** The options of `close()` of the WebSocket server, which `app.close()` calls. */
  close?: CloseOptions;
}

/** The handler of a route with `{ webSocket: true }`. */
export type WebSocketRouteHandler<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
  RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
  RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
  ContextConfig = ContextConfigDefault,
  SchemaCompiler extends FastifySchema = FastifySchema,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Logger extends FastifyBaseLogger = FastifyBaseLogger,
> = (
  this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
  webSocket: WebSocket,
  request: FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>,
) => unknown;

/** The options of a route for WebSockets. */
export type WebSocketRouteOptions<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
  RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
  RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
  ContextConfig = ContextConfigDefault,
  SchemaCompiler extends FastifySchema = FastifySchema,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Logger extends FastifyBaseLogger = FastifyBaseLogger,
> = RouteShorthandOptions<
  RawServer,
  RawRequest,
  RawReply,
  RouteGeneric,
  ContextConfig,
  SchemaCompiler,
  TypeProvider,
  Logger
> & {
  /** True, or the options of `connect()`. */
  webSocket: true | ConnectOptions;
  handler: WebSocketRouteHandler<
    RawServer,
    RawRequest,
    RawReply,
    RouteGeneric,
    ContextConfig,
    SchemaCompiler,
    TypeProvider,
    Logger
  >;
};

declare module 'fastify' {
  interface FastifyInstance<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    Logger extends FastifyBaseLogger = FastifyBaseLogger,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  > {
    /** The WebSockets of this server: what `configureServer()` has returned. */
    webSocketServer: WebSocketServer;

    /**
     * Adds a route for WebSockets. Its handler is called after all hooks, with the accepted WebSocket.
     * @param opts `webSocket`: true, or the options of `connect()`
     */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: WebSocketRouteOptions<
        RawServer,
        RawRequest,
        RawReply,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger
      > &
        Pick<RouteOptions, 'method' | 'url'>,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>;
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
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: Omit<
        WebSocketRouteOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        'handler'
      >,
      handler: WebSocketRouteHandler<
        RawServer,
        RawRequest,
        RawReply,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger
      >,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>;

    /**
     * A route for WebSockets, whose options have the handler.
     * @param opts `webSocket`: true, or the options of `connect()`
     */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: WebSocketRouteOptions<
        RawServer,
        RawRequest,
        RawReply,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger
      >,
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
 * Returns the options of `connect()` for a route, or undefined if the route does not take WebSockets.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
function connectOptionsOf(instance: AnyInstance, route: object): ConnectOptions | undefined {
  const { webSocket, websocket } = route as { webSocket?: true | ConnectOptions; websocket?: unknown };
  // The package @fastify/websocket has routes with `websocket`. If it is registered as well, they are its own.
  if (websocket !== undefined && !instance.hasDecorator('websocketServer'))
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'unknown option websocket of a route; did you mean webSocket?');
  if (webSocket === undefined) return undefined;
  if (webSocket === true) return {};
  if (typeof webSocket !== 'object' || webSocket === null) {
    const accepted = 'true or an object with the options of connect()';
    throw new WebSocketError(
      'WS_ERR_INVALID_ARGUMENT',
      `option webSocket of a route must be ${accepted}, not ${inspect(webSocket)}`,
    );
  }
  checkConnectOptions(webSocket);
  return webSocket;
}

/**
 * The Fastify plugin: routes with `{ webSocket: true }` take WebSockets, after all hooks, and `app.close()` closes them.
 * @example
 * await app.register(plugin);
 * app.get('/chat/:room', { webSocket: true, preHandler: login }, (ws, request) => ws.pipe(rooms.join(request.params.room)).pipe(ws));
 */
async function plugin(app: AnyInstance, options: FastifyWebSocketOptions): Promise<void> {
  configureInstance(app, options);
  app.addHook('onRoute', function (route) {
    const connectOptions = connectOptionsOf(this, route);
    if (connectOptions === undefined) return;
    const handler = route.handler as unknown as (webSocket: WebSocket, request: FastifyRequest) => unknown;
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
