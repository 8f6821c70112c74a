import { once } from 'node:events';
import { Transform } from 'node:stream';
import { expect } from 'chai';
import {
  type BroadcastMessage,
  connect,
  type Message,
  PreparedMessage,
  type ServerOptions,
  type Version,
  type WebSocket,
} from '../../lib/webSocketHandler';
import { clientFrame, type Handler, listen, RawClient, type TestServer } from '../support/http';
import { thrownBy } from '../support/thrown';

const listener: Handler = (_request, response) => response.webSocket?.connect().resume();

/** A server whose clients keep what they get until it closes. */
async function audience(
  clients: readonly { path?: string; version?: Version; perMessageDeflate?: boolean }[],
  options: ServerOptions = {},
): Promise<{ server: TestServer; heard: Promise<Message[][]> }> {
  const server = await listen(listener, options);
  const all: Promise<Message[]>[] = [];
  for (const { path = '/', ...settings } of clients) {
    const client = connect(`ws://127.0.0.1:${server.port}${path}`, { perMessageDeflate: false, ...settings });
    await once(client, 'open');
    all.push(client.toArray() as Promise<Message[]>);
  }
  return { server, heard: Promise.all(all) };
}

describe('handle.broadcast()', () => {
  it('writes a message to every connection and returns the number of connections', async () => {
    const { server, heard } = await audience([{}, {}, {}]);
    await using _server = server;
    expect(server.handle.broadcast('news')).to.equal(3);
    await server.handle.close();
    expect(await heard).to.deep.equal([['news'], ['news'], ['news']]);
  });

  it('returns 0 if there are no connections', async () => {
    await using server = await listen(listener);
    expect(server.handle.broadcast('news')).to.equal(0);
  });

  const messages: Record<string, [message: BroadcastMessage, says: Message]> = {
    'an empty text': ['', ''],
    'a Buffer': [Buffer.of(1, 2, 3), Buffer.of(1, 2, 3)],
    'an ArrayBuffer': [Uint8Array.of(1, 2, 3).buffer, Buffer.of(1, 2, 3)],
    'a typed array': [Uint16Array.of(1), Buffer.of(1, 0)],
    'a PreparedMessage': [new PreparedMessage(Buffer.from('text'), { binary: false }), 'text'],
  };
  for (const [what, [message, says]] of Object.entries(messages)) {
    it(`takes ${what}`, async () => {
      const { server, heard } = await audience([{}]);
      await using _server = server;
      server.handle.broadcast(message);
      await server.handle.close();
      expect(await heard).to.deep.equal([[says]]);
    });
  }

  it('refuses a value that is no message or no filter, also if there are no connections', async () => {
    await using server = await listen(listener);
    const mistakes = [() => server.handle.broadcast(1 as never), () => server.handle.broadcast('news', 'all' as never)];
    for (const mistake of mistakes) expect(thrownBy(mistake).code).to.equal('WS_ERR_INVALID_ARGUMENT');
  });

  it('leaves out connections for which the filter does not return true', async () => {
    const { server, heard } = await audience([{ path: '/news' }, { path: '/chat' }, { path: '/news' }]);
    await using _server = server;
    expect(server.handle.broadcast('news', ({ request }) => request?.url === '/news')).to.equal(2);
    // A promise is not true, whatever comes of it.
    expect(server.handle.broadcast('secret', (async () => true) as never)).to.equal(0);
    await server.handle.close();
    expect(await heard).to.deep.equal([['news'], [], ['news']]);
  });

  it('encodes and compresses the message once for all connections with the same version and extensions', async () => {
    const text = 'to be or not to be, '.repeat(50);
    const deflate = { perMessageDeflate: true };
    const { server, heard } = await audience([{}, {}, deflate, deflate], deflate);
    await using _server = server;
    const message = new PreparedMessage(text);
    const made: string[] = [];
    const onceFor = message.once;
    message.once = (variant, make) =>
      onceFor.call(message, variant, () => {
        made.push(variant);
        return make();
      }) as ReturnType<typeof make>;
    expect(server.handle.broadcast(message)).to.equal(4);
    expect(made).to.have.lengthOf(2);
    await server.handle.close();
    expect(await heard).to.deep.equal([[text], [text], [text], [text]]);
  });

  it('leaves out connections without binary messages if the message is binary, and they stay open', async () => {
    const { server, heard } = await audience([{}, { version: 'draft76' }, { version: 'draft03' }]);
    await using _server = server;
    const errors: Error[] = [];
    for (const ws of server.handle.connections) ws.on('error', (error) => errors.push(error));
    expect(server.handle.broadcast(Buffer.of(1))).to.equal(2);
    expect(server.handle.broadcast('text')).to.equal(3);
    await server.handle.close();
    expect(await heard).to.deep.equal([[Buffer.of(1), 'text'], ['text'], [Buffer.of(1), 'text']]);
    expect(errors).to.deep.equal([]);
  });

  it('leaves out connections that are closing, whichever side has closed first', async () => {
    await using server = await listen((_request, response) => response.webSocket?.connect());
    using _first = await RawClient.open(server.port);
    using second = await RawClient.open(server.port);
    using _third = await RawClient.open(server.port);
    const [ended, left, open] = [...server.handle.connections] as [WebSocket, WebSocket, WebSocket];
    ended.close(4000);
    // A chain that leads back to it may have something to answer, so its end is not ours to decide.
    left.pipe(new Transform({ objectMode: true, transform: () => {}, flush: () => {} })).pipe(left);
    second.write(clientFrame(0x88, ''));
    await once(left, 'end');
    expect([ended.writable, left.writable, open.writable]).to.deep.equal([false, true, true]);
    expect([...server.handle.connections]).to.deep.equal([ended, left, open]);
    expect(server.handle.broadcast('news')).to.equal(1);
    open.abort();
    expect(server.handle.broadcast('news')).to.equal(0);
  });

  it('writes to connections that a shutdown has not closed yet', async () => {
    const { server, heard } = await audience([{}]);
    await using _server = server;
    const closing = server.handle.close({ spread: 100 });
    expect(server.handle.broadcast('goodbye soon')).to.equal(1);
    await closing;
    expect(server.handle.broadcast('too late')).to.equal(0);
    expect(await heard).to.deep.equal([['goodbye soon']]);
  });
});
