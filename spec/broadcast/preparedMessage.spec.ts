import { once } from 'node:events';
import { expect } from 'chai';
import type { PerMessageDeflateOptions } from '../../lib/contracts';
import { createPair, Framer, type Message, PreparedMessage } from '../../lib/webSocketHandler';
import { RawPeer } from '../support/rawPeer';
import { thrownBy } from '../support/thrown';

const json = JSON.stringify(Array.from({ length: 50 }, (_, id) => ({ id, name: 'an item among others' })));

const kinds: readonly (readonly [what: string, make: () => PreparedMessage, says: Message])[] = [
  ['text', () => new PreparedMessage(json), json],
  ['bytes', () => new PreparedMessage(Buffer.from(json)), Buffer.from(json)],
  ['bytes that are text', () => new PreparedMessage(Buffer.from(json), { binary: false }), json],
  ['text that is binary', () => new PreparedMessage(json, { binary: true }), Buffer.from(json)],
  ['an empty text', () => new PreparedMessage(''), ''],
  ['text that is not to be compressed', () => new PreparedMessage(json, { compress: false }), json],
  ['a short text that is', () => new PreparedMessage('short', { compress: true }), 'short'],
  ['a large text', () => new PreparedMessage(json.repeat(50)), json.repeat(50)],
];

const agreements: readonly (false | PerMessageDeflateOptions)[] = [
  false,
  {},
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
];

describe('PreparedMessage', () => {
  for (const [what, make, says] of kinds) {
    it(`is ${what} on every connection, among other messages, whoever sends it`, async () => {
      const prepared = make();
      for (const perMessageDeflate of agreements) {
        for (const server of [true, false]) {
          const ends = createPair({ perMessageDeflate });
          const [sender, receiver] = server ? ends : ends.reverse();
          for (const message of [json, prepared, json, prepared, prepared, json]) sender?.write(message);
          sender?.end();
          expect(await receiver?.toArray()).to.deep.equal([json, says, json, says, says, json]);
        }
      }
    });
  }

  it('is encoded once for the connections of a server with the same version and extensions', () => {
    const prepared = new PreparedMessage(json);
    const made: string[] = [];
    const onceFor = prepared.once;
    prepared.once = (variant, make) =>
      onceFor.call(prepared, variant, () => {
        made.push(variant);
        return make();
      }) as ReturnType<typeof make>;
    for (const extensions of ['', 'permessage-deflate', 'permessage-deflate; server_max_window_bits=9']) {
      const frames = [1, 2, 3].map(() => {
        const framer = new Framer({ role: 'server', extensions });
        framer.write(prepared);
        return framer.read() as Buffer;
      });
      expect(new Set(frames.map((frame) => frame.toString('hex'))).size, extensions).to.equal(1);
      expect(frames[0]?.[0]).to.equal(extensions === '' ? 0x81 : 0xc1);
    }
    expect(made).to.have.lengthOf(3);
  });

  it('has a masking key of its own in every frame of a client', async () => {
    const prepared = new PreparedMessage('the same text');
    const framer = new Framer({ role: 'client' });
    framer.write(prepared);
    const first = framer.read() as Buffer;
    framer.write(prepared);
    expect(first.equals(framer.read())).to.equal(false);
  });

  it('counts in bufferedAmount', () => {
    const { webSocket } = new RawPeer('server', { reads: false });
    webSocket.on('error', () => {});
    const prepared = new PreparedMessage('a'.repeat(100_000));
    for (let i = 0; i < 10; i++) webSocket.write(prepared);
    expect(webSocket.bufferedAmount).to.be.at.least(800_000);
    webSocket.abort();
  });

  it('is an error of the Framer whose version cannot send it', async () => {
    const framer = new Framer({ role: 'server', version: 'draft76' });
    const failure = once(framer, 'error');
    framer.write(new PreparedMessage(Buffer.of(1)));
    expect((await failure)[0].code).to.equal('WS_ERR_UNSUPPORTED');
  });

  it('refuses a value that is no message', () => {
    expect(thrownBy(() => new PreparedMessage(1 as unknown as string)).code).to.equal('WS_ERR_INVALID_ARGUMENT');
    expect(thrownBy(() => new PreparedMessage(Buffer.of(255), { binary: false })).code).to.equal('WS_ERR_INVALID_UTF8');
    const options = { compress: 'yes' } as unknown as { compress: boolean };
    expect(thrownBy(() => new PreparedMessage('a', options)).message).to.include('option compress must be a boolean');
  });
});
