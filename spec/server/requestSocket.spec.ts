import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { mock } from 'node:test';
import { expect } from 'chai';
import connectApp from 'connect';
import {
  configureServer,
  connect,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  type WebSocket,
} from '../../lib/webSocketHandler';

type Handler = (request: HttpRequest, response: HttpResponse, next: (error?: unknown) => void) => void;
type Running = AsyncDisposable & { open(): WebSocket };

const transports: Record<string, { create(listener: never): NetServer & HttpServer; http2: boolean }> = {
  'HTTP/1.1': { create: createServer, http2: false },
  'HTTP/2': { create: createHttp2Server, http2: true },
};

describe('request.socket of a request that has become a WebSocket', () => {
  for (const [name, { create, http2 }] of Object.entries(transports)) {
    describe(`over ${name}`, () => {
      /** An application of the package connect, whose error handler is that of Express. */
      async function serve(handler: Handler): Promise<Running> {
        const app = connectApp();
        app.use(handler as never);
        const server = create(app as never);
        const handle = configureServer(server);
        await once(server.listen(0), 'listening');
        return {
          open: () => connect(`ws://localhost:${(server.address() as AddressInfo).port}`, { http2 }),
          async [Symbol.asyncDispose]() {
            const closed = once(server, 'close');
            server.close();
            await handle.close({ timeout: 100 });
            await closed;
          },
        };
      }

      // The error handler prints what it is given.
      beforeEach(() => void mock.method(console, 'error', () => {}));
      afterEach(() => mock.restoreAll());

      for (const [how, fail] of Object.entries<(next: (error?: unknown) => void) => void>({
        'throws in the turn in which it accepts': () => {
          throw new Error('a mistake');
        },
        'calls next(error) in the turn in which it accepts': (next) => next(new Error('a mistake')),
        'calls next(error) later': (next) => setImmediate(next, new Error('a mistake')),
      })) {
        it(`ends the WebSocket with 1011, after what was written to it, when the handler ${how}`, async () => {
          await using server = await serve((_request, response, next) => {
            response.webSocket?.connect().write('hello');
            fail(next);
          });
          const messages: unknown[] = [];
          const ws = server.open().on('data', (message) => messages.push(message));
          const [error] = await once(ws, 'error');
          expect(error).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 1011 });
          expect(messages).to.deep.equal(['hello']);
        });
      }

      it('is left alone by next() without an error', async () => {
        await using server = await serve((_request, response, next) => {
          const ws = response.webSocket?.connect();
          ws?.pipe(ws);
          next();
        });
        const ws = server.open();
        ws.write('hello');
        expect((await once(ws, 'data'))[0]).to.equal('hello');
        ws.end();
        expect(await ws.whenClosed()).to.include({ code: 1000 });
      });

      it('cuts the connection by a second destroy()', async () => {
        await using server = await serve((request, response) => {
          response.webSocket?.connect();
          // The first one leaves the connection to the close handshake.
          expect((request.socket as Socket).destroy()).to.equal(request.socket);
          expect(request.socket.destroyed).to.equal(false);
          (request.socket as Socket).destroy();
          expect(request.socket.destroyed).to.equal(true);
        });
        const ws = server.open().resume();
        // Whether the Close was faster than the cut is for the network to say.
        ws.on('error', () => {});
        await ws.whenClosed();
      });

      it('is the socket in everything else', async () => {
        const facts: unknown[] = [];
        await using server = await serve((request, response) => {
          const { socket } = request;
          const { remotePort, localPort } = socket;
          response.webSocket?.connect().end();
          facts.push(request.socket.remotePort === remotePort, request.socket.localPort === localPort);
          facts.push('remoteAddress' in request.socket, request.connection === request.socket);
          Object.assign(request.socket, { note: 'a' });
          facts.push((socket as Socket & { note?: string }).note);
          request.socket.once('close', () => facts.push('closed'));
        });
        const ws = server.open().resume();
        expect(await ws.whenClosed()).to.include({ code: 1000 });
        expect(facts.slice(0, 5)).to.deep.equal([true, true, true, true, 'a']);
      });
    });
  }
});
