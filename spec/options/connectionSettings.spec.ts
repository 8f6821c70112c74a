import { expect } from 'chai';
import { defaults, settingsFor } from '../../lib/options';
import { hixie76 } from '../../lib/versions/hixie76';
import { rfc6455 } from '../../lib/versions/rfc6455';

const plain = { version: '13', extensions: '' } as const;
const { capabilities } = rfc6455;

describe('settingsFor()', () => {
  it('contains the options, their defaults, the role and the agreement of the handshake', () => {
    const agreement = { version: '8', extensions: 'permessage-deflate' } as const;
    const options = { closeTimeout: 5, messages: 'stream' } as const;
    expect(settingsFor(options, 'client', agreement, capabilities)).to.deep.equal({
      options,
      role: 'client',
      version: '8',
      capabilities,
      extensions: 'permessage-deflate',
      maxMessageSize: Number.POSITIVE_INFINITY,
      parts: true,
      readableMarks: { messages: 16, bytes: 64 * 1024 },
      writableMarks: { messages: 2, bytes: 64 * 1024 },
      maxBufferedAmount: defaults.maxBufferedAmount,
      sendTimeout: defaults.sendTimeout,
      maxMessageRate: undefined,
      maxLifetime: undefined,
      closeTimeout: 5,
      heartbeat: defaults.heartbeat,
      allowHalfOpen: undefined,
      keepRequest: true,
      perMessageDeflate: false,
    });
  });

  it('prefers the marks of one side to those of both', () => {
    const options = { highWaterMark: { messages: 7 }, readableHighWaterMark: { bytes: 8 } };
    const { readableMarks, writableMarks } = settingsFor(options, 'server', plain, capabilities);
    expect(readableMarks).to.deep.equal({ messages: 7, bytes: 8 });
    expect(writableMarks).to.deep.equal({ messages: 7, bytes: 64 * 1024 });
  });

  it('returns one object for all connections with the same options and agreement', () => {
    const options = {};
    const settings = settingsFor(options, 'server', plain, capabilities);
    expect(settingsFor(options, 'server', { ...plain }, capabilities)).to.equal(settings);
    const others = [
      settingsFor({}, 'server', plain, capabilities),
      settingsFor(options, 'client', plain, capabilities),
      settingsFor(options, 'server', { ...plain, version: 'draft76' }, hixie76.capabilities),
      settingsFor(options, 'server', { ...plain, extensions: 'permessage-deflate' }, capabilities),
    ];
    for (const other of others) expect(other).to.not.equal(settings);
  });

  it('shares the marks of all connections without options for marks', () => {
    const [one, other] = [{}, {}].map((options) => settingsFor(options, 'server', plain, capabilities));
    expect(one?.readableMarks).to.equal(other?.readableMarks);
    expect(one?.writableMarks).to.equal(other?.writableMarks);
  });
});
