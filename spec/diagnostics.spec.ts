import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { connect, createPair, type WebSocket } from '../lib/webSocketHandler';
import { listen, RawClient } from './support/http';
import { listenHttp2 } from './support/http2';

type Event = { readonly webSocket?: WebSocket; readonly [detail: string]: unknown };

/** Listens to a channel as long as something is done. */
async function published(event: string, work: () => Promise<unknown>): Promise<Event[]> {
  const events: Event[] = [];
  const listener = (message: unknown) => void events.push(message as Event);
  subscribe(`node-websocket-handler:${event}`, listener);
  try {
    await work();
  } finally {
    unsubscribe(`node-websocket-handler:${event}`, listener);
  }
  return events;
}

describe('The diagnostics channels', () => {
  it('publish every sent and received message with its WebSocket', async () => {
    const [server, client] = createPair();
    const talk = async () => {
      client.write('text');
      client.write(Buffer.from('bytes'));
      client.write(Readable.from(['a', 'stream']));
      client.end();
      await server.toArray();
    };
    let sent: Event[] = [];
    const received = await published('message-received', async () => {
      sent = await published('message-sent', talk);
    });
    expect(sent.length).to.equal(3);
    expect(sent.slice(0, 2).map(({ message }) => message)).to.deep.equal(['text', Buffer.from('bytes')]);
    expect(new Set(sent.map(({ webSocket }) => webSocket))).to.deep.equal(new Set([client]));
    expect(received.map(({ message }) => message)).to.deep.equal(['text', Buffer.from('bytes'), 'astream']);
    expect(new Set(received.map(({ webSocket }) => webSocket))).to.deep.equal(new Set([server]));
  });

  it('publish when a connection opens and closes, with the outcome', async () => {
    let closed: Event[] = [];
    const opened = await published('open', async () => {
      closed = await published('close', async () => {
        await using server = await listen((_request, response) => response.webSocket?.connect().close(4000, 'bye'));
        const ws = connect(`ws://127.0.0.1:${server.port}/`);
        await once(ws, 'error').catch(() => {});
        await ws.whenClosed();
      });
    });
    expect(opened.length).to.equal(2);
    expect(closed.map(({ code, reason, wasClean }) => [code, reason, wasClean])).to.deep.equal([
      [4000, 'bye', true],
      [4000, '', true],
    ]);
    const known = opened.map(({ webSocket }) => webSocket);
    expect(closed.every(({ webSocket }) => known.includes(webSocket))).to.equal(true);
  });

  it('publish errors, also without an error listener', async () => {
    const errors = await published('error', async () => {
      await using server = await listen((_request, response) => response.webSocket?.connect().resume());
      using client = await RawClient.open(server.port);
      client.write(Buffer.of(0xff, 0xff));
      await client.end();
    });
    expect(errors.map(({ error }) => (error as { code: string }).code)).to.deep.equal(['WS_ERR_RESERVED_BITS']);
  });

  it('publish refused requests, of the application and of the library', async () => {
    const refused = await published('refused', async () => {
      await using server = await listen((_request, response) => void response.writeHead(401).end());
      await using overHttp2 = await listenHttp2((_request, response) => void response.writeHead(401).end());
      for (const url of [`ws://127.0.0.1:${server.port}`, overHttp2.webSocketUrl])
        for (const headers of [{}, { Origin: 'http://other.example', Cookie: 'session=1' }]) {
          const ws = connect(`${url}/path`, { headers, http2: url === overHttp2.webSocketUrl, family: 4 });
          await once(ws, 'error').catch(() => {});
        }
    });
    const seen = refused.map(({ request, response }) => [
      (request as { url: string }).url,
      (response as { statusCode: number }).statusCode,
    ]);
    const expected = [
      ['/path', 401],
      ['/path', 403],
    ];
    expect(seen).to.deep.equal([...expected, ...expected]);
  });
});
