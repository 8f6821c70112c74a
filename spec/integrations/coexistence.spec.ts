import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect } from 'chai';
import { start as startBesideSocketIo } from '../../demo/frameworks/besideSocketIo';
import { start as startBesideWs } from '../../demo/frameworks/besideWs';
import type { Demo } from '../../demo/frameworks/demo';
import { start as startBesideGateway } from '../../demo/frameworks/nestGateway';
import { nextMessage } from './contract';
import { Visitor } from './visitor';

const installed = createRequire(join(__dirname, '../../demo/frameworks/package.json'));

interface SocketIoClient {
  readonly io: { readonly engine: { readonly transport: { readonly name: string } } };
  emitWithAck(event: string, text: string): Promise<string>;
  close(): void;
}

/** Asks another WebSocket server on the same HTTP server a question. */
type Ask = (port: number, visitor: Visitor) => Promise<unknown>;

const askSocketIo =
  (transports: readonly string[]): Ask =>
  async (port) => {
    const client = installed('socket.io-client').io(`http://localhost:${port}`, { transports }) as SocketIoClient;
    const answer = await client.emitWithAck('question', 'hello');
    // With both transports, it begins with polling and then upgrades.
    if (client.io.engine.transport.name !== 'websocket') await once(client.io.engine as never, 'upgrade');
    client.close();
    return answer;
  };

const askGateway: Ask = async (_port, visitor) => {
  const ws = visitor.open('/gateway');
  ws.write(JSON.stringify({ event: 'question', data: 'hello' }));
  const answer = JSON.parse(String(await nextMessage(ws)));
  ws.end();
  await ws.whenClosed();
  return answer.data;
};

const askWs: Ask = async (_port, visitor) => {
  const ws = visitor.open('/ws');
  ws.write('hello');
  const answer = await nextMessage(ws);
  ws.end();
  await ws.whenClosed();
  return answer;
};

function itLivesBeside(name: string, start: (port: number) => Promise<Demo>, ask: Ask, answer: string): void {
  describe(`Beside ${name}`, () => {
    let demo: Demo;
    let visitor: Visitor;
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);

    beforeEach(async () => {
      process.on('warning', warned);
      demo = await start(0);
      visitor = new Visitor(demo);
    });
    afterEach(async () => {
      await demo.close();
      process.off('warning', warned);
    });

    it('both work at the same time, and the filter is found to be there', async () => {
      const ws = visitor.open('/echo');
      ws.write('before');
      expect(await nextMessage(ws)).to.equal('before');

      expect(await ask(demo.port, visitor)).to.equal(answer);

      ws.write('after');
      expect(await nextMessage(ws)).to.equal('after');
      ws.end();
      expect(await ws.whenClosed()).to.include({ code: 1000, wasClean: true });
      expect(warnings.filter((each) => 'code' in each && each.code === 'WS_WARN_NO_FILTER')).to.deep.equal([]);
    });

    it('a WebSocket for a path that nobody has is refused', async () => {
      expect(await visitor.refusal('/nowhere')).to.include({ statusCode: 404 });
    });

    it('the WebSockets of this library end with 1001 when the server is closed', async () => {
      const ws = visitor.open('/echo').resume();
      await once(ws, 'open');
      const [outcome] = await Promise.all([ws.whenClosed(), demo.close()]);
      expect(outcome).to.include({ code: 1001, wasClean: true });
    });
  });
}

itLivesBeside('Socket.IO', startBesideSocketIo, askSocketIo(['websocket']), 'Socket.IO heard hello');
itLivesBeside(
  'Socket.IO, which begins with polling',
  startBesideSocketIo,
  askSocketIo(['polling', 'websocket']),
  'Socket.IO heard hello',
);
itLivesBeside('a gateway of NestJS', startBesideGateway, askGateway, 'the gateway heard hello');
itLivesBeside('ws', startBesideWs, askWs, 'ws heard hello');
