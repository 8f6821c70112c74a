import { getEventListeners, getMaxListeners, once } from 'node:events';
import { expect } from 'chai';
import { onAbort } from '../../lib/client/abortSignals';
import { connect, reconnecting } from '../../lib/webSocketHandler';
import { failureOf } from '../support/failure';
import { listen } from '../support/http';
import { rawServer } from '../support/rawServer';

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('onAbort()', () => {
  it('calls all callbacks once and in order with one listener on the signal', () => {
    const abort = new AbortController();
    const called: number[] = [];
    const count = getMaxListeners(abort.signal) + 10;
    const forget = Array.from({ length: count }, (_, i) => onAbort(abort.signal, () => called.push(i)));
    expect(listenersOf(abort.signal)).to.equal(1);
    forget[1]?.();
    abort.abort();
    for (const each of forget) each();
    expect(called).to.deep.equal(Array.from({ length: count }, (_, i) => i).filter((i) => i !== 1));
    expect(listenersOf(abort.signal)).to.equal(0);
  });

  it('removes its listener with the last callback and adds one again after that', () => {
    const { signal } = new AbortController();
    const callback = () => {};
    const [first, second] = [onAbort(signal, callback), onAbort(signal, callback)];
    first();
    first();
    expect(listenersOf(signal)).to.equal(1);
    second();
    expect(listenersOf(signal)).to.equal(0);
    const third = onAbort(signal, callback);
    second();
    expect(listenersOf(signal)).to.equal(1);
    third();
    expect(listenersOf(signal)).to.equal(0);
  });
});

describe('One AbortSignal for many clients', () => {
  it('has one listener for all calls of connect() and reconnecting(), and none when they have ended', async () => {
    const abort = new AbortController();
    const { signal } = abort;
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    try {
      await using silent = await rawServer(() => {});
      await using refusing = await listen((_request, response) => void response.writeHead(503).end());
      const waiting: Promise<unknown>[] = [];
      const clients = Array.from({ length: 15 }, () => connect(`ws://127.0.0.1:${silent.port}/`, { signal }));
      const loops = Array.from({ length: 15 }, () => {
        let tried: (() => void) | undefined;
        waiting.push(new Promise<void>((resolve) => (tried = resolve)));
        const retry = () => {
          tried?.();
          return true;
        };
        const url = `ws://127.0.0.1:${refusing.port}/`;
        return reconnecting(url, { signal, retry, initialDelay: 60_000, maxDelay: 60_000 }).next();
      });
      const failures = Promise.all([...clients.map(failureOf), ...loops.map((loop) => loop.catch((error) => error))]);
      await Promise.all(waiting);
      expect(listenersOf(signal)).to.equal(1);
      abort.abort(new Error('enough'));
      for (const error of (await failures) as Error[]) {
        expect(error).to.include({ name: 'AbortError', code: 'WS_ERR_ABORTED', cause: signal.reason });
      }
      expect(listenersOf(signal)).to.equal(0);
    } finally {
      process.removeListener('warning', warned);
    }
    expect(warnings).to.deep.equal([]);
  });

  it('has no listener of a closed connection or of a connect() that threw', async () => {
    const { signal } = new AbortController();
    for (const [url, wrong] of [
      ['ws://127.0.0.1:1/', { agent: 'none' }],
      ['ws://127.0.0.1:1/', { headers: { 'X-Split': 'a\r\nb' } }],
      ['ws://127.0.0.1:1/', { protocols: ['a', 'a'] }],
      ['nowhere', {}],
    ] as const) {
      expect(() => connect(url, { signal, ...(wrong as object) })).to.throw();
      expect(listenersOf(signal), `${url} ${Object.keys(wrong)}`).to.equal(0);
    }
    await using server = await listen((_request, response) => void response.webSocket?.connect().end());
    const ws = connect(`ws://127.0.0.1:${server.port}/`, { signal }).resume();
    expect(listenersOf(signal)).to.equal(1);
    await once(ws, 'close');
    expect(listenersOf(signal)).to.equal(0);
  });
});
