import { expect } from 'chai';
import { memoryBroker, Topics } from '../../lib/topics';
import { brokerContract } from '../../lib/topics/contract';
import { connect, createPair } from '../../lib/webSocketHandler';
import type { CodeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { nextMessage, RecordingConsole } from './stage';

async function chat(block: CodeBlock): Promise<void> {
  const { topics } = await block.run({ returns: ['topics'] });
  const url = `ws://localhost:${await block.port()}`;
  const ws = connect(url);
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal('hello');
  ws.resume().end();
  await ws.whenClosed();
  expect((await fetch(url.replace('ws', 'http'))).status).to.equal(426);
  await topics.close();
}

async function resumes(block: CodeBlock): Promise<void> {
  const topics = new Topics();
  const first = await topics.topic('prices').publish('one');
  const second = await topics.topic('prices').publish('two');
  const [ws, peer] = createPair();
  await block.run({ names: { topics, ws, query: new URLSearchParams({ after: first }) } });
  expect(JSON.parse(String(await nextMessage(peer)))).to.deep.equal({ id: second, data: 'two' });
  const [other, reader] = createPair();
  await block.run({ names: { topics, ws: other, query: new URLSearchParams({ after: 'x:1' }) } });
  expect(JSON.parse(String(await nextMessage(reader)))).to.deep.equal({ reload: 'epoch' });
  for (const each of [ws, peer, other, reader]) each.abort();
  await topics.close();
}

async function presence(block: CodeBlock): Promise<void> {
  const topics = new Topics();
  const [ws, peer] = createPair();
  const console = new RecordingConsole();
  const running = block.run({ names: { topics, ws, console } }).catch((error: Error) => error);
  expect(await console.next()).to.deep.equal(['Ada has joined']);
  for (const each of [ws, peer]) each.abort();
  await topics.close();
  await running;
}

async function shared(block: CodeBlock): Promise<void> {
  const { topics } = await block.run({ names: { Topics, myBroker: memoryBroker }, returns: ['topics'] });
  expect(await topics.topic('a').publish('one')).to.match(/:/);
  await topics.close();
}

/** Defines the contract with `it()`; the contract itself is run by spec/topics/memoryBroker.spec.ts. */
async function contract(block: CodeBlock): Promise<void> {
  const titles: string[] = [];
  await block.run({ names: { brokerContract, myBroker: memoryBroker, it: (title: string) => titles.push(title) } });
  expect(titles).to.have.length.above(5);
}

describeBlocks('docs/topics.md', {
  Topics: chat,
  'Resume after a lost connection': resumes,
  'Who is present': presence,
  'Share topics between processes': [shared, contract],
});
