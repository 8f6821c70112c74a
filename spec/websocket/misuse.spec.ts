import { Duplex } from 'node:stream';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { createPair, WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import { thrownBy } from '../support/thrown';
import { endingOf } from '../support/virtually';

describe('new WebSocket()', () => {
  it('throws for a URL, and names connect()', () => {
    const Constructor = WebSocket as unknown as new (url: unknown) => WebSocket;
    for (const url of ['ws://localhost/', new URL('ws://localhost/'), undefined]) {
      const error = thrownBy(() => new Constructor(url));
      expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect(error.message).to.include('connect(');
    }
  });
});

describe('WebSocket: what the program does wrong', () => {
  it('throws a WebSocketError that names the value and the accepted types', async () => {
    const [server, client] = createPair({ heartbeat: false });
    const wrong: [() => unknown, RegExp][] = [
      [() => server.write(null as never), /null/],
      [() => server.write(undefined as never), /undefined/],
      [() => server.ping({} as never), /object/],
      [() => server.pong({} as never), /object/],
      [() => server.sendTextMessage({} as never), /JSON\.stringify/],
    ];
    for (const [action, message] of wrong) {
      const error = thrownBy(() => void action());
      expect(error).to.be.instanceOf(WebSocketError);
      expect(error.message).to.match(message);
      expect(inspect(error)).to.not.match(/statusCode|headers|body/);
    }
    expect([server.destroyed, server.bufferedAmount, server.writableLength]).to.deep.equal([false, 0, 0]);
    server.write('and goes on');
    server.end();
    server.resume();
    const received: unknown[] = [];
    client.on('message', (message) => received.push(message));
    await Promise.all([endingOf(client), server.whenClosed()]);
    expect(received).to.deep.equal(['and goes on']);
  });

  it('does not count refused values in the write queue', async () => {
    const [server, client] = createPair({ heartbeat: false });
    for (let i = 0; i < 1000; i++) expect(() => server.write(null as never)).to.throw();
    server.cork();
    // 2 messages and 64 KiB may wait, and each message counts 128 bytes.
    expect([server.write('one'), server.write('two')]).to.deep.equal([true, false]);
    server.uncork();
    server.end();
    server.resume();
    client.resume();
    await Promise.all([server.whenClosed(), client.whenClosed()]);
  });

  it('fails the stream with an error that explains how to send an object', async () => {
    const [server, client] = createPair({ heartbeat: false });
    const ending = endingOf(server);
    client.on('error', () => {}).resume();
    server.write({ an: 'object' } as never);
    const { error } = await ending;
    expect(error).to.be.instanceOf(WebSocketError);
    expect(error?.message).to.include('a plain object').and.to.include('JSON.stringify').and.to.include('string');
    await client.whenClosed();
  });
});

describe('WebSocket.setEncoding()', () => {
  for (const encoding of ['utf8', 'base64', 'hex'] as const) {
    it(`does to messages what it does to the chunks of Node's object-mode streams: ${encoding}`, async () => {
      const messages = [Buffer.from('one'), 'two', Buffer.from([0xe2, 0x82]), Buffer.from([0xac]), 'three'];
      const node = new Duplex({ objectMode: true, read() {}, write: (_chunk, _encoding, done) => done() });
      const [server, client] = createPair({ heartbeat: false });
      const expected: unknown[] = [];
      const received: unknown[] = [];
      node.setEncoding(encoding).on('data', (chunk) => expected.push(chunk));
      client.setEncoding(encoding).on('data', (chunk) => received.push(chunk));
      for (const message of messages) {
        node.push(message);
        server.write(message);
        await new Promise(setImmediate);
        await new Promise(setImmediate);
      }
      const ended = new Promise<void>((resolve) => node.on('end', resolve));
      node.push(null);
      server.resume();
      server.end();
      await Promise.all([endingOf(client), ended, server.whenClosed()]);
      expect(received).to.deep.equal(expected);
    });
  }
});
