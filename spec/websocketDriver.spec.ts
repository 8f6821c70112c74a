import { once } from 'node:events';
import { type AddressInfo, connect as connectSocket, createServer } from 'node:net';
import { expect } from 'chai';
import driver from 'websocket-driver';
import { connect, type Message } from '../lib/webSocketHandler';
import { listen } from './support/http';

/** The engine of faye-websocket, the other library that still speaks the first drafts. */
describe('websocket-driver', () => {
  const messages = ['Hello', '', 'Grüße 👋🏽', 'x'.repeat(70_000)];

  for (const [version, theirs] of [
    ['13', 'hybi-13'],
    ['draft76', 'hixie-76'],
    ['draft75', 'hixie-75'],
  ] as const) {
    it(`as a server echoes to our client of version ${version}`, async () => {
      let spoken: string | undefined;
      const server = createServer((socket) => {
        const peer = driver.server({ allowDrafts: true });
        socket.on('error', () => {});
        peer.on('connect', () => {
          peer.start();
          spoken = peer.version;
        });
        peer.on('close', () => socket.end());
        socket.pipe(peer.io).pipe(socket);
        peer.messages.on('data', (message: string) => peer.messages.write(message));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const ws = connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, { version });
      for (const message of messages) ws.write(message);
      const echoes: Message[] = [];
      for await (const message of ws) {
        echoes.push(message);
        if (echoes.length === messages.length) ws.end();
      }
      expect(echoes).to.deep.equal(messages);
      expect((await ws.whenClosed()).wasClean).to.equal(true);
      expect(spoken).to.equal(theirs);
      server.close();
    });
  }

  it('as a client gets its echoes from our server', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.pipe(ws);
    });
    const socket = connectSocket(server.port, '127.0.0.1');
    const peer = driver.client(`ws://127.0.0.1:${server.port}/`);
    socket.pipe(peer.io).pipe(socket);
    peer.start();
    const echoes: string[] = [];
    peer.messages.on('data', (message: string) => {
      echoes.push(message);
      if (echoes.length === messages.length) peer.close('', 1000);
    });
    for (const message of messages) peer.messages.write(message);
    const [{ code }] = (await once(peer, 'close')) as [{ code: number }];
    expect(echoes).to.deep.equal(messages);
    expect(code).to.equal(1000);
    socket.destroy();
  });
});
