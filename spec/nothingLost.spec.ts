import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { expect } from 'chai';
import { parseExtensions } from '../lib/codec/headers';
import type { PerMessageDeflateOptions, Role } from '../lib/contracts';
import { answerExtensions, offerExtensions } from '../lib/extensions';
import { knownVersions, protocolVersion } from '../lib/versions';
import {
  type ClientOptions,
  type ConnectionOptions,
  type ConnectOptions,
  connect,
  Deframer,
  type Message,
  type Streamed,
  type Version,
} from '../lib/webSocketHandler';
import type { AnyWebSocket, WebSocket } from '../lib/websocket/webSocket';
import {
  type Manners,
  pipeManners,
  randomManners,
  randomMessages,
  sizeOf,
  Talker,
  talkativeManners,
} from './support/conversation';
import { type Break, CuttingLink } from './support/cuttingLink';
import { startCuttingProxy } from './support/cuttingProxy';
import { type Handler, listen } from './support/http';
import { openWebSocket } from './support/openWebSocket';
import { checkSeeds, fork, seeds } from './support/seeds';
import type { Dice } from './support/vectors';

/** Milliseconds after which a conversation has come to a standstill. */
const patience = 10_000;

/** What a connection is like. */
interface Setting {
  readonly version: Version;
  readonly perMessageDeflate: boolean | PerMessageDeflateOptions;
  readonly manners: Readonly<Record<Role, Manners>>;
  /** The options of each end, beside the compression. */
  readonly options: Readonly<Record<Role, ConnectionOptions>>;
}

function randomSetting(dice: Dice, randomEnd: (dice: Dice) => Manners, versions: readonly Version[]): Setting {
  const version = dice.pick(versions);
  const manners = { server: randomEnd(dice), client: randomEnd(dice) };
  const optionsOf = ({ reader }: Manners): ConnectionOptions => ({
    messages: reader === 'parts' ? 'stream' : 'whole',
    // On a busy machine, a close handshake takes its time.
    closeTimeout: 8000,
    // A stream that is piped in, and has nothing to do with what is read, would be unpiped when the peer has closed.
    ...(randomEnd === pipeManners && { allowHalfOpen: true }),
    ...(dice.roll(2) === 0 && { highWaterMark: { messages: 1 + dice.roll(3), bytes: 1 + dice.roll(5000) } }),
  });
  return {
    version,
    perMessageDeflate: dice.roll(2) === 0 && randomDeflate(dice),
    manners,
    options: { server: optionsOf(manners.server), client: optionsOf(manners.client) },
  };
}

function randomDeflate(dice: Dice): PerMessageDeflateOptions {
  return {
    threshold: dice.pick([0, 128]),
    serverNoContextTakeover: dice.roll(2) === 0,
    clientNoContextTakeover: dice.roll(2) === 0,
    serverMaxWindowBits: 8 + dice.roll(8),
    clientMaxWindowBits: 8 + dice.roll(8),
    level: dice.pick([1, 6]),
  };
}

/** Two WebSockets with a link between. */
type Ends = Readonly<Record<Role, AnyWebSocket>> & { readonly link: CuttingLink };

function openInMemory(dice: Dice, { version, perMessageDeflate, options }: Setting): Ends {
  const offer = protocolVersion(version).capabilities.extensions ? offerExtensions({ perMessageDeflate }) : '';
  const extensions = answerExtensions(parseExtensions(offer || undefined) ?? [], { perMessageDeflate });
  const link = new CuttingLink(dice);
  const open = (role: Role, stream: CuttingLink['ends'][0]) => {
    const terms = { options: { ...options[role], perMessageDeflate }, version, extensions };
    return openWebSocket(role, { stream, head: Buffer.alloc(0) }, terms);
  };
  return { server: open('server', link.ends[0]), client: open('client', link.ends[1]), link };
}

/** Two talkers, and what is between them. */
interface Conversation {
  readonly setting: Setting;
  readonly server: Talker;
  readonly client: Talker;
  readonly link: CuttingLink;
}

function begin(dice: Dice, setting: Setting, { server, client, link }: Ends): Conversation {
  const { capabilities: can } = protocolVersion(setting.version);
  const talker = (role: Role, ws: AnyWebSocket) =>
    new Talker(ws, randomMessages(dice, can), setting.manners[role], can, fork(dice));
  return { setting, server: talker('server', server), client: talker('client', client), link };
}

/** What is to be known of a conversation that has failed. */
function describeState({ setting, link, server, client }: Conversation): string {
  const describeTalker = ({ ws, messages, received, endings, faults }: Talker) => ({
    messages: messages.map(summary).join(', '),
    received: received.length,
    endings: endings.join(', '),
    faults: faults.join(', '),
    buffered: `${ws.readableLength} messages in, ${ws.bufferedAmount} bytes out`,
    state: [
      ...(ws.readableEnded ? ['readable side ended'] : []),
      ...(ws.writableFinished ? ['writable side finished'] : []),
      ...(ws.destroyed ? ['destroyed'] : []),
    ].join(', '),
  });
  const state = {
    ...setting,
    broken: link.broken,
    server: describeTalker(server),
    client: describeTalker(client),
  };
  return JSON.stringify(state, null, 2);
}

/** Takes a conversation to its end, whatever that is. Nothing is left of it afterwards. */
async function finish(conversation: Conversation, course: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const standstill = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('it does not end')), patience);
  });
  try {
    await Promise.race([course, standstill]);
  } catch (error) {
    if (error instanceof Error) error.message += `\n${describeState(conversation)}`;
    throw error;
  } finally {
    clearTimeout(timer);
    for (const { ws } of [conversation.server, conversation.client]) ws.abort();
  }
}

const summary = (message: Message | undefined) =>
  message === undefined ? 'nothing' : `${typeof message === 'string' ? 'text' : 'binary'} of ${message.length}`;

const same = (one: Message, other: Message | undefined) =>
  one === other || (Buffer.isBuffer(one) && Buffer.isBuffer(other) && one.equals(other));

/** What was received is what was sent, message by message, as far as it goes. */
function expectPrefix(sent: readonly Message[], received: readonly Message[]): void {
  for (const [i, message] of received.entries()) {
    if (!same(message, sent[i]))
      expect.fail(`message ${i} of ${sent.length} was sent as ${summary(sent[i])} and came as ${summary(message)}`);
  }
}

/** Each talker with its peer. */
const bothOf = ({ server, client }: Conversation) =>
  [
    [server, client],
    [client, server],
  ] as const;

const inRandomOrder = ({ server, client }: Conversation, dice: Dice) =>
  dice.roll(2) === 0 ? ([server, client] as const) : ([client, server] as const);

const allWritten = ({ server, client }: Conversation) => Promise.all([server.written, client.written]);

const allReceived = ({ server, client }: Conversation) =>
  Promise.all([server.hasReceived(client.messages.length), client.hasReceived(server.messages.length)]);

const allOver = ({ server, client }: Conversation) => Promise.all([server.over, client.over]);

/** A course that a conversation takes, with what must be true of it. */
type Course = (conversation: Conversation, dice: Dice) => Promise<void>;

async function expectCleanEnd(conversation: Conversation): Promise<void> {
  for (const [talker, peer] of bothOf(conversation)) {
    expectPrefix(peer.messages, talker.received);
    expect(talker.received.length, 'messages received').to.equal(peer.messages.length);
    expect(talker.endings).to.deep.equal(['end']);
    expect(talker.faults).to.deep.equal([]);
    expect((await talker.ws.whenClosed()).wasClean, 'a clean end').to.equal(true);
  }
}

/**
 * When both have written all, one of them ends, or both do. In versions without a Close frame, all messages must have
 * been received before.
 */
const closeCleanly: Course = async (conversation, dice) => {
  const { capabilities: can } = protocolVersion(conversation.setting.version);
  const [first, second] = inRandomOrder(conversation, dice);
  await allWritten(conversation);
  if (!can.close) await allReceived(conversation);
  const together = can.close && dice.roll(3) === 0;
  const [code, reason] = together || dice.roll(2) === 0 ? [1000, ''] : [1001, 'moving'];
  first.ws.close(code, reason);
  if (together) second.ws.end();
  await allOver(conversation);
  await expectCleanEnd(conversation);
  const told = can.closeCode ? { code, reason, wasClean: true } : { code: 1005, reason: '', wasClean: true };
  expect(await second.ws.whenClosed()).to.deep.equal(told);
  // The answer repeats the code, and not the reason.
  expect(await first.ws.whenClosed()).to.deep.equal({ ...told, reason: '' });
};

/**
 * Each end has received what the other has sent, and messages that were not sent are reported as failed: by a callback,
 * or by the stream.
 */
async function expectNoSilentLoss(conversation: Conversation): Promise<void> {
  await allWritten(conversation);
  for (const [talker, peer] of bothOf(conversation)) {
    const { messagesSent } = talker.ws.counters;
    expectPrefix(talker.messages, peer.received);
    expect(peer.received.length, 'messages received').to.equal(messagesSent);
    for (const number of talker.taken) expect(number, 'a message that was taken').to.be.below(messagesSent);
    for (const number of talker.failed) expect(number, 'a message that failed').to.be.at.least(messagesSent);
    expect(talker.faults).to.deep.equal([]);
    expect((await talker.ws.whenClosed()).wasClean, 'a clean end').to.equal(true);
    const [end, failure, ...more] = talker.endings;
    expect([end, ...more]).to.deep.equal(['end']);
    expect(failure).to.be.oneOf([undefined, 'WS_ERR_NOT_OPEN', 'WS_ERR_CLOSE_TIMEOUT']);
    if (failure === undefined && talker.attempted !== undefined)
      expect(talker.attempted - talker.failed.size, 'messages that did not fail').to.equal(messagesSent);
  }
}

const byCount = ({ server, client }: Conversation) =>
  server.messages.length < client.messages.length ? ([server, client] as const) : ([client, server] as const);

/** One end closes when it has written all messages, while the other may still write. */
const interrupt: Course = async (conversation, dice) => {
  const [first, second] = byCount(conversation);
  await first.written;
  await first.hasReceived(dice.roll(Math.min(3, second.messages.length) + 1));
  first.ws.close(1001);
  await allOver(conversation);
  await expectNoSilentLoss(conversation);
  expect(second.received.length, 'messages received').to.equal(first.messages.length);
  expect(first.endings).to.deep.equal(['end']);
};

/** One end is closed by other code than its program, which still writes, as the other end may. */
const closeForProgram: Course = async (conversation, dice) => {
  const [peer, talker] = byCount(conversation);
  await peer.hasReceived(dice.roll(Math.min(3, talker.messages.length) + 1));
  talker.ws.close(1001, '');
  await allOver(conversation);
  await expectNoSilentLoss(conversation);
};

/** Each end is closed by its streams after the last message. */
const letStreamsEnd: Course = async (conversation) => {
  await allOver(conversation);
  await expectCleanEnd(conversation);
};

/** The link breaks while both talk. */
const breakOff =
  (...ways: readonly Break[]): Course =>
  async (conversation, dice) => {
    const { server, client, link, setting } = conversation;
    const how = dice.pick(ways);
    link.breakAfter(dice.roll(sizeOf(server.messages) + sizeOf(client.messages) + 500), how);
    const over = allOver(conversation);
    await Promise.race([over, allReceived(conversation)]);
    // Compressed messages may have passed before the link was cut.
    link.break(how);
    await over;
    for (const [talker, peer] of bothOf(conversation)) {
      expectPrefix(peer.messages, talker.received);
      expect(talker.faults).to.deep.equal([]);
      let isCleanEnd = false;
      if (how === 'end') {
        const { messages, truncated } = await understand(conversation, talker);
        expect(talker.received.length, 'messages received').to.equal(messages);
        // In versions without a Close frame, the end of the bytes is a clean end, except in the middle of a message.
        isCleanEnd = !protocolVersion(setting.version).capabilities.close && !truncated;
      }
      expect(talker.endings).to.deep.equal([isCleanEnd ? 'end' : 'WS_ERR_CONNECTION_LOST']);
      expect((await talker.ws.whenClosed()).wasClean, 'a clean end').to.equal(isCleanEnd);
    }
  };

/** Returns the number of messages in the bytes that one end could read, and whether the last one is truncated. */
async function understand({ setting, link, server }: Conversation, talker: Talker) {
  const { version, perMessageDeflate } = setting;
  const { extensions } = talker.ws;
  const role = talker === server ? 'server' : 'client';
  const deframer = new Deframer({ role, version, extensions, perMessageDeflate });
  let messages = 0;
  deframer.on('data', (item) => {
    if (typeof item === 'string' || Buffer.isBuffer(item)) messages++;
  });
  deframer.end(link.delivered[role === 'server' ? 0 : 1]);
  const failure = await finished(deframer).then(
    () => undefined,
    ({ code }) => code,
  );
  expect(failure).to.be.oneOf([undefined, 'WS_ERR_TRUNCATED']);
  return { messages, truncated: failure !== undefined };
}

/** The link is cut in the middle of the close handshake, or shortly before or after it. */
const breakCloseHandshake: Course = async (conversation, dice) => {
  const [first, second] = inRandomOrder(conversation, dice);
  await allWritten(conversation);
  if (dice.roll(2) === 0) await allReceived(conversation);
  conversation.link.breakAfter(dice.roll(25), dice.pick(['reset', 'end']));
  first.ws.end();
  if (dice.roll(3) === 0) second.ws.end();
  await allOver(conversation);
  for (const [talker, peer] of bothOf(conversation)) {
    expectPrefix(peer.messages, talker.received);
    expect(talker.faults).to.deep.equal([]);
    // An end is reported only if all messages were received, and a clean end only if the other side has confirmed it.
    expect(talker.endings[0]).to.be.oneOf(['end', 'WS_ERR_CONNECTION_LOST']);
    if (talker.endings[0] === 'end') expect(talker.received.length).to.equal(peer.messages.length);
    if ((await talker.ws.whenClosed()).wasClean) expect(talker.endings).to.deep.equal(['end']);
  }
};

/** How many seeds: in `npm test`, and in `npm run test:all`. */
const inMemory = seeds(100, 1000);
/** Where a Close may have to wait for half of closeTimeout, in real time. */
const inRealTime = seeds(20, 150);
const overTcp = seeds(20, 200);

const closingVersions = knownVersions.filter((version) => protocolVersion(version).capabilities.close);

/**
 * Two ends that talk at the same time, through a network that cuts their bytes at random places: in any version,
 * compressed or not, writing and reading in any way, with pauses. The variable SEED names a seed that has failed, and
 * SEEDS says how many to try.
 */
describe('No message is lost', function () {
  this.timeout(120_000);

  async function check(
    course: Course,
    { manners = randomManners, versions = knownVersions, list = inMemory } = {},
  ): Promise<void> {
    const one = async (dice: Dice) => {
      const setting = randomSetting(dice, manners, versions);
      const conversation = begin(dice, setting, openInMemory(dice, setting));
      await finish(conversation, course(conversation, dice));
    };
    await checkSeeds(list, one);
  }

  it('until one end closes, or both do', () => check(closeCleanly));

  it('when one end closes while the other still writes, except messages that are reported as failed', () =>
    check(interrupt, { manners: talkativeManners, versions: closingVersions, list: inRealTime }));

  it('when one end is closed while its program still writes, except messages that are reported as failed', () =>
    check(closeForProgram, { manners: talkativeManners, versions: closingVersions, list: inRealTime }));

  it('between piped streams, each of which ends after its last message', () =>
    check(letStreamsEnd, { manners: pipeManners, versions: closingVersions }));

  it('that was received before the connection was lost, and both ends get an error', () =>
    check(breakOff('reset', 'end')));

  it('without an error when the connection is lost during the close handshake', () =>
    check(breakCloseHandshake, { versions: closingVersions }));

  it('over TCP, up to a close or a reset', async () => {
    let accept: Handler = () => {};
    await using server = await listen((request, response) => accept(request, response), { versions: knownVersions });
    await using proxy = await startCuttingProxy(server.port);

    const open = async (dice: Dice, { version, perMessageDeflate, options }: Setting): Promise<Ends> => {
      proxy.link = new CuttingLink(dice);
      const accepted = new Promise<AnyWebSocket>((resolve) => {
        accept = (_request, { webSocket }) =>
          resolve(
            (webSocket as WebSocket).connect({ ...options.server, perMessageDeflate } as
              | ConnectOptions
              | Streamed<ConnectOptions>),
          );
      });
      const url = `ws://127.0.0.1:${proxy.port}`;
      const client = connect(url, { ...options.client, perMessageDeflate, version } as
        | ClientOptions
        | Streamed<ClientOptions>);
      const [ws] = await Promise.all([accepted, once(client, 'open')]);
      return { server: ws, client, link: proxy.link };
    };

    await checkSeeds(overTcp, async (dice) => {
      // A reset right behind other bytes is read as an end, by libuv, which is a goodbye where there is no other.
      const [course, versions] = dice.pick([
        [closeCleanly, knownVersions],
        [breakOff('reset'), closingVersions],
      ] as const);
      const setting = randomSetting(dice, randomManners, versions);
      const conversation = begin(dice, setting, await open(dice, setting));
      await finish(conversation, course(conversation, dice));
    });
  });
});
