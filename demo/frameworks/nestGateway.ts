import 'reflect-metadata';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type Accept, AcceptWebSocket, WebSocketModule } from '../../lib/integrations/nest';
import { type Demo, runUntilSignal } from './demo';

/** NestJS's own way: messages that are JSON with the name of an event. */
@WebSocketGateway({ path: '/gateway' })
class QuestionGateway {
  @SubscribeMessage('question')
  answer(@MessageBody() text: string) {
    return { event: 'answer', data: `the gateway heard ${text}` };
  }
}

/** A route of this library. */
@Controller()
class EchoController {
  @Get('echo')
  async echo(@AcceptWebSocket() accept: Accept): Promise<void> {
    const ws = await accept();
    ws.pipe(ws);
  }
}

const isForGateway = ({ url }: { url?: string | undefined }) => url === '/gateway';

@Module({
  imports: [WebSocketModule.forRoot({ filter: (request) => !isForGateway(request) })],
  controllers: [EchoController],
  providers: [QuestionGateway],
})
class AppModule {}

/** Gateways and routes of this library on one server. */
export async function start(port = 4080): Promise<Demo> {
  const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: ['fatal'] });
  // The adapter destroys the socket of every upgrade that is not for a gateway. So it gets those only that are.
  const forGateways = new EventEmitter();
  app.getHttpServer().on('upgrade', (request: IncomingMessage, ...rest: unknown[]) => {
    if (isForGateway(request)) forGateways.emit('upgrade', request, ...rest);
  });
  // biome-ignore lint/correctness/useHookAtTopLevel: it is no hook of React
  app.useWebSocketAdapter(new WsAdapter(forGateways));
  await app.listen(port, '::');
  return { port: (app.getHttpServer().address() as AddressInfo).port, close: () => app.close() };
}

if (require.main === module) void runUntilSignal(start);
