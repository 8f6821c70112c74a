/** The small program of NestJS that is bundled. Decorators are called as functions, because they are no syntax of JavaScript. */
import 'reflect-metadata';
import { strictEqual, throws } from 'node:assert';
import { once } from 'node:events';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { connect, WebSocketError } from 'node-websocket-handler';
import { AcceptWebSocket, WebSocketModule, WebSockets } from 'node-websocket-handler/nest';

class EchoController {
  async echo(accept) {
    const ws = await accept();
    ws.pipe(ws);
  }
}
const descriptor = Object.getOwnPropertyDescriptor(EchoController.prototype, 'echo');
Get('echo')(EchoController.prototype, 'echo', descriptor);
AcceptWebSocket()(EchoController.prototype, 'echo', 0);
Controller()(EchoController);

class AppModule {}
Module({ imports: [WebSocketModule.forRoot()], controllers: [EchoController] })(AppModule);

async function run() {
  const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: ['fatal', 'error'] });
  await app.listen(0, 'localhost');
  const url = `ws://localhost:${app.getHttpServer().address().port}`;
  const ws = connect(`${url}/echo`);
  ws.end('hello');
  strictEqual((await ws.toArray()).join(), 'hello');
  strictEqual(app.get(WebSockets).server.counters.opened, 1);

  const [error] = await once(connect(`${url}/nowhere`), 'error');
  strictEqual(error.statusCode, 404);
  // The library is in the bundle once: its helper throws errors of the class that the main entry exports.
  throws(() => new WebSockets({ httpAdapter: { getType: () => 'express' } }, {}).server, WebSocketError);
  await app.close();
  console.log('it works');
}

run();
