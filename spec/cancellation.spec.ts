import { once } from 'node:events';
import { addAbortSignal, PassThrough } from 'node:stream';
import { expect } from 'chai';
import { type CloseOutcome, connect, createPair, type WebSocket } from '../lib/webSocketHandler';
import { listen } from './support/http';
import { rawServer } from './support/rawServer';

const reason = new Error('no longer wanted');

/** Brings a WebSocket into a state, and tells how its peer sees the end, where there is one. */
interface State {
  readonly ws: WebSocket;
  readonly peer?: Promise<CloseOutcome>;
  dispose(): PromiseLike<void>;
}

const pair = async (prepare: (ws: WebSocket, peer: WebSocket) => unknown): Promise<State> => {
  const [server, client] = createPair();
  client.on('error', () => {});
  client.resume();
  await prepare(server, client);
  return { ws: server, peer: client.whenClosed(), dispose: async () => void client.abort() };
};

const states: Readonly<Record<string, () => Promise<State>>> = {
  async 'not yet accepted'() {
    const server = await listen((_request, response) => void server.server.emit('asked', response.webSocket));
    const asked = once(server.server, 'asked');
    connect(`ws://127.0.0.1:${server.port}/`).on('error', () => {});
    return { ws: (await asked)[0] as WebSocket, dispose: () => server[Symbol.asyncDispose]() };
  },
  async connecting() {
    const server = await rawServer(() => {});
    return { ws: connect(`ws://127.0.0.1:${server.port}/`), dispose: () => server[Symbol.asyncDispose]() };
  },
  open: () => pair(() => undefined),
  'being read': () => pair((ws) => void ws.resume()),
  'with messages that nobody has read': () => pair((_ws, peer) => void peer.write('unread')),
  'in the middle of a message that is sent': () => pair((ws) => void ws.write(new PassThrough())),
  'ended by us': () => pair((ws) => void ws.end()),
  'closed by the peer': () =>
    pair(async (ws, peer) => {
      peer.end();
      ws.resume();
      await once(ws, 'end');
    }),
};

describe('A WebSocket', () => {
  for (const [state, enter] of Object.entries(states)) {
    it(`${state} is destroyed by an abort signal`, async () => {
      const { ws, dispose } = await enter();
      const abort = new AbortController();
      addAbortSignal(abort.signal, ws);
      const failed = once(ws, 'error').catch((error) => [error]);
      abort.abort(reason);
      const [error] = await failed;
      expect([error.name, error.cause]).to.deep.equal(['AbortError', reason]);
      await ws.whenClosed();
      await dispose();
    });

    it(`${state} is destroyed with an error, which it emits once`, async () => {
      const { ws, peer, dispose } = await enter();
      const errors: unknown[] = [];
      ws.on('error', (error) => errors.push(error));
      const closed = new Promise((resolve) => ws.once('close', resolve));
      ws.destroy(reason);
      ws.destroy(new Error('too late'));
      await closed;
      expect(errors).to.deep.equal([reason]);
      // Where the peer can still be told, it is told that it was no clean end.
      if (peer && state !== 'ended by us' && state !== 'closed by the peer') expect((await peer).code).to.equal(1011);
      await dispose();
    });

    it(`${state} is destroyed without an error, and emits none`, async () => {
      const { ws, dispose } = await enter();
      const errors: unknown[] = [];
      ws.on('error', (error) => errors.push(error));
      const closed = new Promise((resolve) => ws.once('close', resolve));
      ws.destroy();
      await closed;
      expect([errors, ws.destroyed]).to.deep.equal([[], true]);
      await dispose();
    });
  }
});
