import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import cookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  type INestApplication,
  Injectable,
  Module,
  Param,
  Post,
  Res,
  Session,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import expressSession from 'express-session';
import { type Accept, AcceptWebSocket, WebSocketModule } from '../../lib/integrations/nest';
import { type Demo, runUntilSignal } from './demo';

interface User {
  user?: string;
}

@Injectable()
class LoginGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { session } = context.switchToHttp().getRequest<{ session: User }>();
    if (session.user === undefined) throw new UnauthorizedException('Log in first');
    return true;
  }
}

@Controller()
class AppController {
  @Get()
  hello(): string {
    return 'hello';
  }

  @Post('login')
  @HttpCode(204)
  login(@Session() session: User): void {
    session.user = 'ann';
  }

  @Get('chat/:room')
  @UseGuards(LoginGuard)
  async chat(
    @AcceptWebSocket() accept: Accept,
    @Param('room') room: string,
    @Session() { user }: User,
    // With passthrough NestJS goes on answering by itself, as it does for methods without the response.
    @Res({ passthrough: true }) response: { cookie?(name: string, value: string): void; setCookie?: typeof setCookie },
  ): Promise<void> {
    if (response.cookie) response.cookie('room', room);
    else response.setCookie?.('room', room);
    const ws = await accept();
    ws.write(`${user} is in ${room}`);
    ws.pipe(ws);
  }
}

declare function setCookie(name: string, value: string): void;

/** A part of the application, with a path of its own. */
@Controller('api')
class ApiController {
  @Get('echo')
  async echo(@AcceptWebSocket() accept: Accept): Promise<void> {
    const ws = await accept();
    ws.pipe(ws);
  }

  // The WebSocket ends with 1011, and the exception filters get the error.
  @Get('broken')
  async broken(@AcceptWebSocket() accept: Accept): Promise<void> {
    for await (const _ of await accept()) throw new Error('A mistake in a handler');
  }
}

@Module({
  imports: [WebSocketModule.forRoot({ maxMessageSize: 64 * 1024 })],
  controllers: [AppController, ApiController],
})
class AppModule {}

const secret = 'a secret of at least 32 characters';

export async function createExpressApp(): Promise<INestApplication> {
  const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: ['fatal'] });
  app.use(expressSession({ secret, resave: false, saveUninitialized: false }));
  return app;
}

/** @param options those of Fastify */
export async function createFastifyApp(options: object = {}): Promise<INestApplication> {
  const adapter = new FastifyAdapter(options);
  const app = await NestFactory.create(AppModule, adapter, { logger: ['fatal'] });
  await adapter.register(cookie as never);
  await adapter.register(fastifySession as never, { secret, cookie: { secure: false } } as never);
  return app;
}

export async function start(app: INestApplication, port = 4080): Promise<Demo> {
  app.enableShutdownHooks();
  await app.listen(port, '::');
  return { port: (app.getHttpServer().address() as AddressInfo).port, close: () => app.close() };
}

if (require.main === module) void runUntilSignal(async () => await start(await createExpressApp()));
