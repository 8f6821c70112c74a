import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect } from 'chai';
import { memoryBroker, Topics } from '../../lib/topics';
import { brokerContract } from '../../lib/topics/contract';
import { configureServer, connect, createPair } from '../../lib/webSocketHandler';
import type { CodeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { nextMessage, RecordingConsole } from './stage';

async function chat(block: CodeBlock): Promise<void> {
  const { topics } = (await block.run({ returns: ['topics'] })) as { topics: Topics };
  const port = await block.port();
  const ada = connect(`ws://localhost:${port}`);
  const bob = connect(`ws://localhost:${port}`);
  await Promise.all([once(ada, 'open'), once(bob, 'open')]);
  const messages = Promise.all([nextMessage(ada), nextMessage(bob)]);
  ada.write('hello');
  expect(await messages).to.deep.equal(['hello', 'hello']);
  ada.end();
  bob.end();
  await Promise.all([ada.whenClosed(), bob.whenClosed()]);
  expect((await fetch(`http://localhost:${port}`)).status).to.equal(426);
  await topics.close();
}

async function sign(block: CodeBlock): Promise<void> {
  await using topics = new Topics();
  const messages = topics.topic('lobby').since('start')[Symbol.asyncIterator]();
  const [ws, client] = createPair();
  await block.run({ names: { topics, ws, user: { name: 'Ada' } } });
  const received = nextMessage(client);
  client.write('hello');
  const { id, data } = (await messages.next()).value;
  expect(JSON.parse(data)).to.deep.equal({ from: 'Ada', text: 'hello' });
  expect(JSON.parse(String(await received))).to.deep.equal({ id, from: 'Ada', text: 'hello' });
  await messages.return?.();
  client.resume().end();
  expect(await client.whenClosed()).to.include({ wasClean: true });
}

async function resume(block: CodeBlock): Promise<void> {
  await using topics = new Topics();
  const prices = topics.topic('prices');
  const first = await prices.publish('1');
  const second = await prices.publish('2');
  for (const [after, expected] of [
    [first, { id: second, data: '2' }],
    ['made:1', { reload: 'epoch' }],
  ] as const) {
    const [ws, client] = createPair();
    const message = nextMessage(client);
    await block.run({ names: { topics, ws, query: new URLSearchParams({ after }) } });
    expect(JSON.parse(String(await message))).to.deep.equal(expected);
    ws.resume().end();
    client.resume();
    await client.whenClosed();
  }
}

async function presence(block: CodeBlock): Promise<void> {
  const topics = new Topics();
  const [ws, client] = createPair();
  const console = new RecordingConsole();
  const running = block.run({ names: { topics, ws, console } });
  expect(await console.next()).to.deep.equal(['Ada has joined']);
  const failure = running.then(
    () => undefined,
    (error) => error.code,
  );
  await topics.close();
  expect(await failure).to.equal('WS_ERR_NOT_OPEN');
  ws.resume().end();
  client.resume();
  await client.whenClosed();
}

async function share(block: CodeBlock): Promise<void> {
  const { topics } = (await block.run({ names: { Topics, myBroker: memoryBroker }, returns: ['topics'] })) as {
    topics: Topics;
  };
  expect(await topics.topic('a').publish('hello')).to.match(/^[^:]+:\d+$/);
  await topics.close();
}

async function contract(block: CodeBlock): Promise<void> {
  const titles: string[] = [];
  await block.run({ names: { brokerContract, myBroker: memoryBroker, it: (title: string) => titles.push(title) } });
  expect(titles).to.have.lengthOf(brokerContract.length).and.not.be.empty;
}

async function stopping(block: CodeBlock): Promise<void> {
  const topics = new Topics();
  const server = createServer((_, { webSocket }) => {
    const ws = webSocket?.connect();
    ws?.pipe(topics.join('lobby')).pipe(ws);
  });
  const handle = configureServer(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const reading = topics.topic('lobby').since('start');
  const client = connect(`ws://127.0.0.1:${port}`).resume();
  await once(client, 'open');
  client.write('the last message');
  const [message] = await once(reading, 'data');
  expect(message.data).to.equal('the last message');
  reading.destroy();
  await block.run({ names: { server, handle, topics } });
  expect(await client.whenClosed()).to.deep.include({ code: 1001, wasClean: true });
  expect(server.listening).to.equal(false);
}

describeBlocks('docs/topics.md', {
  Topics: chat,
  'Send more than the text': sign,
  'Resume after a lost connection': resume,
  'Who is present': presence,
  'Share topics between processes': [share, contract],
  Stopping: stopping,
});
