import {
  type BeforeApplicationShutdown,
  type CallHandler,
  createParamDecorator,
  type DynamicModule,
  type ExecutionContext,
  HttpException,
  Module,
  type NestInterceptor,
  type OnModuleInit,
} from '@nestjs/common';
import { APP_INTERCEPTOR, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { catchError, mergeMap, NEVER, type Observable, of, throwError } from 'rxjs';
import {
  type CloseOptions,
  type ConnectOptions,
  configureServer,
  type HttpResponse,
  type HttpServer,
  type ServerOptions,
  type WebSocket,
  WebSocketError,
  type WebSocketServer,
} from '../webSocketHandler';
import { prepareRoute, sendAcceptance } from './fastifyReply';
import { upgradeRequired } from './route';

/** The options of `WebSocketModule.forRoot()`: those of `configureServer()`, and how the WebSockets are closed. */
export interface WebSocketModuleOptions extends ServerOptions {
  /** The options of `close()` of the WebSocket server, which `app.close()` calls. */
  close?: CloseOptions;
}

/**
 * Accepts the WebSocket, and resolves when the 101 is sent, with the header fields and cookies of the response. On Fastify all 'onSend' hooks
 * run before it.
 * @param options those of `connect()`
 * @throws WebSocketError WS_ERR_RESPONSE_STARTED if a hook has sent another response
 */
export type Accept = (options?: ConnectOptions) => Promise<WebSocket>;

/** The WebSockets that were accepted, by the response. */
const accepted = new WeakMap<HttpResponse, WebSocket>();

/** Both platforms: Express gives the response of Node, Fastify a reply around it. */
function responseOf(context: ExecutionContext): { readonly response: HttpResponse; readonly reply?: FastifyReply } {
  const given = context.switchToHttp().getResponse<HttpResponse | FastifyReply>();
  return 'raw' in given ? { response: given.raw as HttpResponse, reply: given } : { response: given };
}

function accept(context: ExecutionContext): Accept {
  const { response, reply } = responseOf(context);
  const { webSocket } = response;
  if (webSocket === undefined) {
    const { message, statusCode = 400 } = upgradeRequired(context.switchToHttp().getRequest());
    throw new HttpException(message, statusCode);
  }
  return async (options = {}) => {
    const ws = reply === undefined ? webSocket.connect(options) : await acceptReply(reply, options);
    accepted.set(response, ws);
    return ws;
  };
}

function acceptReply(reply: FastifyReply, options: ConnectOptions): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    // It has no effect after an acceptance.
    reply.raw.once('close', () => reject(new WebSocketError('WS_ERR_RESPONSE_STARTED')));
    sendAcceptance(reply, options, resolve);
  });
}

/**
 * A parameter of a controller's method: a function that accepts the WebSocket. An ordinary request for the route gets 426.
 * @example
 * @Get(':room')
 * async join(@AcceptWebSocket() accept: Accept, @Param('room') room: string) {
 *   const ws = await accept();
 *   ws.pipe(rooms.join(room)).pipe(ws);
 * }
 */
export const AcceptWebSocket: () => ParameterDecorator = createParamDecorator((_: unknown, context: ExecutionContext) =>
  accept(context),
);

/**
 * Keeps NestJS from answering requests that have become WebSockets. If the method fails after it has accepted, the WebSocket ends with 1011,
 * and the error goes to the exception filters.
 */
class WebSocketInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const { response } = responseOf(context);
    return next.handle().pipe(
      mergeMap((result: unknown) => (accepted.has(response) ? NEVER : of(result))),
      catchError((error: unknown) => {
        const webSocket = accepted.get(response);
        // The WebSocket has ended by it: that is the peer's doing.
        if (webSocket !== undefined && webSocket.errored === error) return NEVER;
        webSocket?.destroy();
        return throwError(() => error);
      }),
    );
  }
}

/** The WebSockets of the application, to be injected. */
export class WebSockets implements OnModuleInit, BeforeApplicationShutdown {
  readonly #host: HttpAdapterHost;
  readonly #options: ServerOptions;
  readonly #close: CloseOptions | undefined;
  #server: WebSocketServer | undefined;

  /** The module makes it. */
  constructor(host: HttpAdapterHost, { close, ...options }: WebSocketModuleOptions) {
    this.#host = host;
    this.#options = options;
    this.#close = close;
    // NestJS adds its routes before it calls onModuleInit().
    const { httpAdapter } = host;
    if (httpAdapter.getType() === 'fastify')
      httpAdapter.getInstance<FastifyInstance>().addHook('onRoute', prepareRoute);
  }

  /** What `configureServer()` has returned: the connections, counters, `broadcast()`. It is there once the application is initialized. */
  get server(): WebSocketServer {
    if (this.#server === undefined) throw new WebSocketError('WS_ERR_NOT_OPEN', 'the application is not initialized');
    return this.#server;
  }

  /** Configures the server. NestJS calls it. */
  onModuleInit(): void {
    this.#server = configureServer(this.#host.httpAdapter.getHttpServer() as HttpServer, this.#options);
  }

  /** Closes the WebSockets, and resolves when all are gone. NestJS calls it. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#server?.close(this.#close);
  }
}

/**
 * The NestJS module, for Express and Fastify: with it, methods of controllers accept WebSockets, and `app.close()` closes them.
 * @example
 * @Module({ imports: [WebSocketModule.forRoot({ maxMessageSize: 64 * 1024 })], controllers: [ChatController] })
 * class AppModule {}
 */
// biome-ignore lint/complexity/noStaticOnlyClass: NestJS knows modules by their class
export class WebSocketModule {
  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT when the application is initialized */
  static forRoot(options: WebSocketModuleOptions = {}): DynamicModule {
    return {
      module: WebSocketModule,
      global: true,
      providers: [
        { provide: APP_INTERCEPTOR, useValue: new WebSocketInterceptor() },
        {
          provide: WebSockets,
          inject: [HttpAdapterHost],
          useFactory: (host: HttpAdapterHost) => new WebSockets(host, options),
        },
      ],
      exports: [WebSockets],
    };
  }
}

// As a decorator, which is no syntax of JavaScript's own.
Module({})(WebSocketModule);
