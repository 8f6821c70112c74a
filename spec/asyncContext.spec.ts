import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { expect } from 'chai';
import { knownVersions } from '../lib/versions';
import { connect, type WebSocket } from '../lib/webSocketHandler';
import { listen, RawClient } from './support/http';

const storage = new AsyncLocalStorage<string>();

/** Notes in which context each listener is called. */
function note(ws: WebSocket, seen: Map<string, string | undefined>): void {
  for (const event of ['open', 'message', 'ping', 'pong', 'drain', 'end', 'finish', 'error', 'close'] as const)
    ws.on(event, () => seen.set(event, storage.getStore()));
}

describe('The AsyncLocalStorage in which a WebSocket is opened', () => {
  for (const version of knownVersions) {
    it(`is active in every listener, on both sides, in version ${version}`, async () => {
      const ofServer = new Map<string, string | undefined>();
      const ofClient = new Map<string, string | undefined>();
      await using server = await listen(
        (request, response) => {
          storage.run(`request ${request.url}`, () => {
            const ws = response.webSocket?.connect() as WebSocket;
            note(ws, ofServer);
            ws.on('message', (message) => ws.write(message));
          });
        },
        { versions: knownVersions },
      );
      const ws = storage.run('client', () => {
        const made = connect(`ws://127.0.0.1:${server.port}/path`, { version });
        note(made, ofClient);
        return made;
      });
      await once(ws, 'open');
      ws.write('hello');
      await once(ws, 'data');
      if (version !== 'draft76' && version !== 'draft75') await ws.ping();
      // What a call of the program's own brings about happens in the context of that call.
      storage.run('client', () => ws.end());
      await ws.whenClosed();
      const contexts = (seen: Map<string, string | undefined>) => new Set(seen.values());
      expect([...contexts(ofServer)], JSON.stringify([...ofServer])).to.deep.equal(['request /path']);
      expect([...contexts(ofClient)], JSON.stringify([...ofClient])).to.deep.equal(['client']);
    });
  }

  it('is active in the listeners for failures: a lost connection, an invalid frame, a heartbeat timeout', async () => {
    for (const fail of [
      (client: RawClient) => client.socket.resetAndDestroy(),
      (client: RawClient) => client.write(Buffer.of(0xff, 0xff)),
      () => {},
    ]) {
      const seen = new Map<string, string | undefined>();
      let over: Promise<unknown> | undefined;
      await using server = await listen(
        (_request, response) => {
          storage.run('request', () => {
            const ws = response.webSocket?.connect().resume() as WebSocket;
            note(ws, seen);
            over = new Promise((resolve) => ws.once('close', resolve));
          });
        },
        { heartbeat: { interval: 20, timeout: 20 } },
      );
      using client = await RawClient.open(server.port);
      fail(client);
      await over;
      expect([seen.get('error'), seen.get('close')]).to.deep.equal(['request', 'request']);
    }
  });

  it('is active when a client fails to connect', async () => {
    await using server = await listen((_request, response) => void response.writeHead(404).end());
    const seen = new Map<string, string | undefined>();
    const ws = storage.run('client', () => {
      const made = connect(`ws://127.0.0.1:${server.port}/`);
      note(made, seen);
      return made;
    });
    await new Promise((resolve) => ws.once('close', resolve));
    expect([seen.get('error'), seen.get('close')]).to.deep.equal(['client', 'client']);
  });
});
