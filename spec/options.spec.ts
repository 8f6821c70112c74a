import { createServer } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import {
  type ConnectionOptions,
  checkConnectOptions,
  checkOptions,
  connectionSettings,
  defaults,
} from '../lib/options';
import type { AllOptions } from '../lib/options/rules';
import { hixie76 } from '../lib/versions/hixie76';
import { rfc6455 } from '../lib/versions/rfc6455';
import {
  BroadcastStream,
  configureServer,
  connect,
  createPair,
  Deframer,
  Framer,
  handleHttpUpgrade,
  PreparedMessage,
  reconnecting,
  type WebSocket,
} from '../lib/webSocketHandler';
import { ask, listen, openingRequest } from './support/http';
import { thrownBy } from './support/thrown';

type Name = Parameters<typeof checkOptions<Record<Option, unknown>, Option>>[1];
type Option =
  | 'role'
  | 'version'
  | 'versions'
  | 'maxMessageSize'
  | 'closeTimeout'
  | 'heartbeat'
  | 'messages'
  | 'maxBufferedAmount'
  | 'sendTimeout'
  | 'allowHalfOpen'
  | 'keepRequest'
  | 'handshakeTimeout'
  | 'origins'
  | 'filter'
  | 'protocol'
  | 'headers'
  | 'protocols'
  | 'origin'
  | 'followRedirects'
  | 'signal';

interface Values {
  /** What the error says that the option takes. */
  readonly takes: string;
  readonly good: readonly unknown[];
  readonly bad: readonly unknown[];
}

const delays: Values = {
  takes: 'milliseconds from 0 to 2147483647',
  good: [0, 1, 1.5, 20_000, 2 ** 31 - 1],
  // A Node timer takes a longer delay for one millisecond.
  bad: [-1, 2 ** 31, Number.POSITIVE_INFINITY, Number.NaN, '1000', null, true],
};

const options: Record<Option, Values> = {
  role: { takes: "'server' or 'client'", good: ['server', 'client'], bad: [undefined, null, '', 'Server', 'peer', 1] },
  version: { takes: 'the name of a version', good: ['13', '8', '7'], bad: [13, null, ['13']] },
  versions: {
    takes: 'an array of at least one version name',
    good: [['13'], ['13', '8']],
    bad: ['13', [13], [], null, {}],
  },
  maxMessageSize: {
    takes: 'a positive integer of bytes, or Infinity',
    good: [1, 2 ** 21, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY],
    bad: [0, -1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53, 'x', '100', null, [1], 5n],
  },
  closeTimeout: delays,
  heartbeat: {
    takes: 'milliseconds from 1 to 2147483647, an object with interval and timeout, or false',
    good: [false, 1, 30_000, {}, { interval: 1000 }, { interval: 1000, timeout: undefined }, { timeout: 1 }],
    bad: [true, null, 0, -1, 2 ** 31, '1000', Number.NaN],
  },
  messages: { takes: "'whole' or 'stream'", good: ['whole', 'stream'], bad: ['streams', null, true] },
  maxBufferedAmount: {
    takes: 'a positive integer of bytes, or Infinity',
    good: [1, 2 ** 24, Number.POSITIVE_INFINITY],
    bad: [0, -1, 1.5, Number.NaN, null, '1000', false],
  },
  sendTimeout: {
    takes: 'milliseconds from 1 to 2147483647, or false',
    good: [1, 120_000, 2 ** 31 - 1, false],
    bad: [0, -1, 2 ** 31, Number.POSITIVE_INFINITY, true, null, '1000'],
  },
  allowHalfOpen: { takes: 'a boolean', good: [true, false], bad: [null, 0, 'false'] },
  keepRequest: { takes: 'a boolean', good: [true, false], bad: [null, 0, 'false'] },
  handshakeTimeout: delays,
  origins: {
    takes: "'any', 'same', a function, or an array of origins such as 'https://a.example'",
    good: [
      'any',
      'same',
      [],
      ['https://example.org', 'http://localhost:8080', 'http://[::1]:81', 'null', 'chrome-extension://abc'],
      () => true,
    ],
    bad: [
      ['a.example'],
      ['https://a.example/'],
      ['https://a.example:443'],
      ['https://A.example'],
      ['https://*.a.example'],
      ['https://a.example/chat'],
      ['*'],
      ['any'],
      'https://example.org',
      '*',
      [/example/],
      [null],
      null,
      true,
      {},
    ],
  },
  filter: { takes: 'a function', good: [() => true], bad: ['/chat', null, /chat/, true] },
  protocol: {
    takes: 'the name of a subprotocol',
    good: ['chat', 'v2.json'],
    bad: ['', 'a b', 'a,b', 'a\r\nSet-Cookie: b', 5, null, ['chat']],
  },
  headers: {
    takes: 'a plain object with headers',
    good: [{}, { 'X-Hello': 'world' }],
    bad: [null, 'X-Hello: world', 5, ['X-Hello', 'world'], new Headers(), new Map()],
  },
  protocols: { takes: 'an array of subprotocol names', good: [[], ['chat']], bad: ['chat', null, [5]] },
  origin: {
    takes: 'a string',
    good: ['https://example.org'],
    bad: [null, 5, 'http://a\r\nb: c', new URL('https://example.org')],
  },
  followRedirects: {
    takes: 'a boolean or a number of redirects',
    good: [true, false, 0, 5],
    bad: [null, -1, 1.5, Number.POSITIVE_INFINITY, 'follow'],
  },
  signal: {
    takes: 'an AbortSignal',
    good: [AbortSignal.abort(), new AbortController().signal],
    bad: [null, {}, new AbortController(), true],
  },
};

const check = (name: Option, value: unknown) =>
  checkOptions({ [name]: value } as Record<Option, unknown>, name as Name);

describe('checkOptions()', () => {
  for (const [name, { takes, good, bad }] of Object.entries(options) as [Option, Values][]) {
    it(`accepts ${takes} for ${name}, and names it in the error`, () => {
      for (const value of good) check(name, value);
      for (const value of bad) {
        const error = thrownBy(() => check(name, value));
        expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
        expect(error.message)
          .to.include(`option ${name} must be ${takes}`)
          .and.to.match(/, not \S/);
      }
    });
  }

  it('accepts an option that is absent or undefined, except the role, which has no default', () => {
    for (const name of Object.keys(options) as Option[]) {
      if (name === 'role') continue;
      checkOptions({} as Record<Option, unknown>, name);
      check(name, undefined);
    }
    expect(thrownBy(() => checkOptions({} as Record<Option, unknown>, 'role')).message).to.include('role');
  });

  it('returns the options themselves', () => {
    const given = { maxMessageSize: 5 };
    expect(checkOptions(given, 'maxMessageSize')).to.equal(given);
  });

  it('refuses an unknown option, also with a valid value, and suggests the most similar one', () => {
    for (const [given, names, complaint] of [
      [{ maxMessagesize: 5 }, ['maxMessageSize'], 'unknown option maxMessagesize; did you mean maxMessageSize?'],
      [
        { maxPayload: 5 },
        ['maxMessageSize', 'closeTimeout'],
        'unknown option maxPayload; did you mean maxMessageSize?',
      ],
      [{ path: '/chat' }, ['filter', 'origins'], 'unknown option path; did you mean filter?'],
      [{ origin: 'any' }, ['filter', 'origins'], 'unknown option origin; did you mean origins?'],
      [{ origins: 'any' }, ['origin'], 'unknown option origins; did you mean origin?'],
      [{ pingInterval: 5 }, ['heartbeat'], 'unknown option pingInterval; did you mean heartbeat?'],
      [{ cookie: 'a=1' }, ['headers'], 'unknown option cookie; did you mean headers?'],
      [{ toString: 5 }, ['retry', 'limit'], 'unknown option toString; known are limit, retry'],
      [{ closeTimeout: 5 }, ['limit'], 'unknown option closeTimeout; known are limit'],
    ] as [object, (keyof AllOptions)[], string][]) {
      const error = thrownBy(() => checkOptions(given as AllOptions, ...names));
      expect([error.code, error.message]).to.deep.equal([
        'WS_ERR_INVALID_ARGUMENT',
        `An argument is invalid: ${complaint}`,
      ]);
    }
    checkOptions({ maxPayload: undefined } as unknown as AllOptions, 'maxMessageSize');
  });

  it('names configureServer() for an option of servers that is given for one connection', () => {
    const error = thrownBy(() => checkConnectOptions({ filter: () => true } as object));
    expect(error.message).to.include('unknown option filter; it is an option of configureServer()');
  });

  it('does not show the headers of a request, which may have credentials', () => {
    const error = thrownBy(() => check('headers', 'Authorization: secret'));
    expect(error.message).to.include('not a string').and.not.to.include('secret');
  });

  it('finds the invalid option among several', () => {
    const given = { maxMessageSize: 5, closeTimeout: -1 };
    expect(thrownBy(() => checkOptions(given, 'maxMessageSize', 'closeTimeout')).message).to.include('closeTimeout');
  });

  it('refuses options that are no object', () => {
    for (const given of [null, undefined, 5, 'role', true, []]) {
      const error = thrownBy(() => checkOptions(given as unknown as { role: unknown }, 'role'));
      expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect(error.message).to.include('options must be an object, not ');
    }
  });

  it('names the settings within an option', () => {
    for (const [name, value, complaint] of [
      ['heartbeat', { interval: 0 }, 'heartbeat.interval must be milliseconds'],
      ['heartbeat', [], 'heartbeat must be'],
      ['heartbeat', { timeout: 'long' }, 'heartbeat.timeout must be milliseconds'],
      ['heartbeat', { intervall: 1000 }, 'unknown option heartbeat.intervall; did you mean heartbeat.interval?'],
    ] as const) {
      expect(thrownBy(() => check(name, value)).message).to.include(complaint);
    }
  });
});

describe('Every function that takes options', () => {
  const unknown = { nothing: true } as object;
  const server = createServer();
  const handle = configureServer(createServer());
  const calls: Record<string, (options: object) => unknown> = {
    configureServer: (options) => configureServer(server, options),
    handleHttpUpgrade: (options) => handleHttpUpgrade(server, {} as never, new PassThrough(), Buffer.alloc(0), options),
    'handle.close': (options) => handle.close(options),
    connect: (options) => connect('ws://localhost', options),
    reconnecting: (options) => reconnecting('ws://localhost', options),
    createPair: (options) => createPair(options),
    PreparedMessage: (options) => new PreparedMessage('text', options),
    BroadcastStream: (options) => new BroadcastStream(options),
    Deframer: (options) => new Deframer({ role: 'server', ...options }),
    Framer: (options) => new Framer({ role: 'server', ...options }),
  };
  const methods: Record<string, (ws: WebSocket, options: object) => unknown> = {
    'ws.sendTextMessage': (ws, options) => ws.sendTextMessage('text', options),
    'ws.sendBinaryMessage': (ws, options) => ws.sendBinaryMessage('bytes', options),
  };
  const complaint = 'An argument is invalid: unknown option nothing; ';

  for (const [name, call] of Object.entries(calls)) {
    it(`refuses an unknown option: ${name}()`, () => {
      const { code, message } = thrownBy(() => call(unknown));
      expect([code, message.slice(0, complaint.length)]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', complaint]);
    });
  }

  // The Transforms spread their options.
  for (const [name, call] of Object.entries(calls).filter(([name]) => !name.endsWith('ramer'))) {
    it(`refuses options that are no object: ${name}()`, () => {
      for (const given of [null, 5, []])
        expect(thrownBy(() => call(given as never)).code).to.equal('WS_ERR_INVALID_ARGUMENT');
    });
  }

  for (const [name, call] of Object.entries(methods)) {
    it(`refuses an unknown option, and options that are no object: ${name}()`, async () => {
      const [ws, peer] = createPair();
      expect(thrownBy(() => call(ws, unknown)).message).to.include(complaint);
      expect(thrownBy(() => call(ws, null as never)).message).to.include('options must be an object, not null');
      ws.end();
      peer.resume();
      await ws.whenClosed();
    });
  }

  it('refuses an unknown option: res.webSocket.connect()', async () => {
    let message = '';
    await using listening = await listen((_request, response) => {
      message = thrownBy(() => response.webSocket?.connect(unknown)).message;
      response.writeHead(400).end();
    });
    expect((await ask(listening.port, openingRequest())).statusCode).to.equal(400);
    expect(message).to.include(complaint);
  });

  it('checks the options of a PreparedMessage', () => {
    for (const options of [{ binary: 'yes' }, { compress: 1 }]) {
      const [name] = Object.keys(options);
      const { message } = thrownBy(() => new PreparedMessage('text', options as object));
      expect(message).to.include(`option ${name} must be a boolean, not `);
    }
  });
});

describe('connectionSettings()', () => {
  it('has a heartbeat by default, with a default timeout that is never longer than the interval', () => {
    for (const [heartbeat, settings] of [
      [undefined, { interval: 30_000, timeout: 10_000 }],
      [5000, { interval: 5000, timeout: 5000 }],
      [60_000, { interval: 60_000, timeout: 10_000 }],
      [
        { interval: 5000, timeout: 20_000 },
        { interval: 5000, timeout: 20_000 },
      ],
      [{ timeout: 1000 }, { interval: 30_000, timeout: 1000 }],
      [false, undefined],
    ] as const) {
      expect(
        connectionSettings(heartbeat === undefined ? {} : { heartbeat }, rfc6455.capabilities).heartbeat,
      ).to.deep.equal(settings);
    }
  });

  it('limits the bytes that wait for a peer and their time by default', () => {
    const settingsOf = (options: ConnectionOptions) => {
      const settings = connectionSettings(options, rfc6455.capabilities);
      return [settings.maxBufferedAmount, settings.sendTimeout, settings.allowHalfOpen];
    };
    expect(settingsOf({})).to.deep.equal([16 * 1024 * 1024, 120_000, undefined]);
    const given = { maxBufferedAmount: Number.POSITIVE_INFINITY, sendTimeout: false, allowHalfOpen: false } as const;
    expect(settingsOf(given)).to.deep.equal([Number.POSITIVE_INFINITY, undefined, false]);
    expect(settingsOf({ sendTimeout: 5, allowHalfOpen: true })).to.deep.equal([16 * 1024 * 1024, 5, true]);
  });

  it('limits the size of whole messages by default', () => {
    const sizeOf = (options: ConnectionOptions, { capabilities: can } = rfc6455) =>
      connectionSettings(options, can).maxMessageSize;
    expect(sizeOf({})).to.equal(2 * 1024 * 1024);
    expect(sizeOf({ messages: 'stream' })).to.equal(Number.POSITIVE_INFINITY);
    expect(sizeOf({ messages: 'stream' }, hixie76)).to.equal(2 * 1024 * 1024);
    expect(sizeOf({ messages: 'stream', maxMessageSize: 5 })).to.equal(5);
  });
});

describe('defaults', () => {
  it('are the defaults of the documentation', () => {
    expect(defaults).to.deep.include({
      version: '13',
      maxMessageSize: 2 * 1024 * 1024,
      closeTimeout: 20_000,
      handshakeTimeout: 10_000,
    });
  });
});
