import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { createMetricsDemo } from '../demo/metricsDemo';
import { connect } from '../lib/webSocketHandler';

describe('The metrics demo', () => {
  it('exports connections, messages, bytes, refusals and close codes to Prometheus', async () => {
    const server = createMetricsDemo().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const scrape = async () => {
      const [response] = (await once(get({ port, host: '127.0.0.1', path: '/metrics', agent: false }), 'response')) as [
        IncomingMessage,
      ];
      const metrics = await text(response);
      return (name: string) => Number(new RegExp(`^websocket_${name} (.*)$`, 'm').exec(metrics)?.[1]);
    };

    const ws = connect(`ws://127.0.0.1:${port}/`);
    let missing = 3;
    const echoed = new Promise<void>((resolve) => {
      ws.on('data', () => --missing === 0 && resolve());
    });
    for (const message of ['one', 'two', 'x'.repeat(5000)]) ws.write(message);
    await echoed;
    const during = await scrape();
    expect(during('connections')).to.equal(1);
    ws.close(4000);
    await ws.whenClosed();
    const other = connect(`ws://127.0.0.1:${port}/`, { headers: { Origin: 'http://other.example', Cookie: 'a=b' } });
    await once(other, 'error').catch(() => {});

    const later = await scrape();
    expect(later('connections')).to.equal(0);
    expect(later('messages_received_total')).to.equal(3);
    expect(later('messages_sent_total')).to.equal(3);
    expect(later('received_bytes_total')).to.be.within(30, 5100);
    expect(later('closed_total{code="4000"}')).to.equal(1);
    expect(later('refused_total')).to.equal(1);
    expect(later('message_size_characters_count')).to.equal(3);
    await once(server.close(), 'close');
  });
});
