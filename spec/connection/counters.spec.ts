import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { createPair, PreparedMessage } from '../../lib/webSocketHandler';
import { RawPeer } from '../support/rawPeer';
import { hex } from '../support/vectors';

describe('The counters of a connection', () => {
  it('count messages, and bytes including frame headers', async () => {
    const peer = new RawPeer('server');
    peer.webSocket.resume();
    peer.send(0x81, 'hello');
    peer.webSocket.write('hello');
    peer.webSocket.sendBinaryMessage(Buffer.alloc(200));
    await peer.until(() => peer.frames.length === 2);
    expect(peer.webSocket.counters).to.deep.equal({
      messagesReceived: 1,
      messagesSent: 2,
      // 2 + 4 + 5 masked, and 2 + 5, 4 + 200 unmasked.
      bytesReceived: 11,
      bytesSent: 211,
      bytesBeforeCompression: 0,
      bytesAfterCompression: 0,
      bytesBeforeDecompression: 0,
      bytesAfterDecompression: 0,
      pausedTime: 0,
    });
    peer.webSocket.abort();
  });

  it('count bytes before and after compression, in both directions, and for prepared messages', async () => {
    const [server, client] = createPair({ perMessageDeflate: true });
    server.resume();
    const text = 'much the same '.repeat(100);
    client.write(text);
    client.write('short');
    server.write(new PreparedMessage(text));
    client.resume();
    client.end();
    await client.whenClosed();
    const sent = client.counters;
    expect(sent.bytesBeforeCompression).to.equal(text.length);
    expect(sent.bytesAfterCompression).to.be.within(10, 100);
    expect(server.counters.bytesAfterDecompression).to.equal(text.length);
    expect(server.counters.bytesBeforeDecompression).to.equal(sent.bytesAfterCompression);
    expect(server.counters.bytesBeforeCompression).to.equal(text.length);
    expect(client.counters.bytesAfterDecompression).to.equal(text.length);
  });

  it('count the time in which reading was paused', async () => {
    const peer = new RawPeer('server', { highWaterMark: { messages: 1 } });
    peer.write(hex('81 81 00000000 61 81 81 00000000 62 81 81 00000000 63'));
    for (let i = 0; i < 5; i++) await turn();
    const first = peer.webSocket.counters.pausedTime;
    await once(setTimeoutEvent(20), 'passed');
    const second = peer.webSocket.counters.pausedTime;
    expect(second - first).to.be.at.least(15);
    peer.webSocket.resume();
    while (peer.webSocket.counters.messagesReceived < 3) await turn();
    for (let i = 0; i < 5; i++) await turn();
    const third = peer.webSocket.counters.pausedTime;
    await turn();
    expect(peer.webSocket.counters.pausedTime).to.equal(third);
    peer.webSocket.abort();
  });

  it('are 0 before the connection is open, and are kept after it has ended', async () => {
    const [server, client] = createPair();
    client.end('last');
    await server.toArray();
    await server.whenClosed();
    expect([server.counters.messagesReceived, server.counters.bytesReceived > 0]).to.deep.equal([1, true]);
  });
});

/** Time is what this is about, so it must pass. */
function setTimeoutEvent(milliseconds: number): EventTarget {
  const target = new EventTarget();
  setTimeout(() => target.dispatchEvent(new Event('passed')), milliseconds);
  return target;
}
