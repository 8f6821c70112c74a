import { expect } from 'chai';
import type { Message, ServerOptions, WebSocket, WebSocketError } from '../lib/webSocketHandler';
import { type Handler, listen, RawClient, type TestServer } from './support/http';
import { hex } from './support/vectors';

/** The first example of the drafts. */
const keys = ['Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5', 'Sec-WebSocket-Key2: 12998 5 Y3 1  .P00'];
const challenge = Buffer.from('^n:ds[4U');
const reply = "8jKS'y:G*Co,Wxa-";

const request = (...lines: string[]) =>
  [
    'GET /demo?x=1 HTTP/1.1',
    'Upgrade: WebSocket',
    'Connection: Upgrade',
    'Host: example.com',
    'Origin: http://example.com',
    ...lines,
    '',
    '',
  ].join('\r\n');

const draft76 = request(...keys);
const draft03 = request(...keys, 'Sec-WebSocket-Draft: 2');
const draft75 = request();

const echo: Handler = (_request, response) => {
  const ws = response.webSocket?.connect();
  ws?.pipe(ws);
};

/** Everything that the server has sent, as text in which each character is a byte. */
const received = ({ received: bytes }: RawClient) => bytes.toString('latin1');

const answer = (...lines: string[]) => [...lines, '', ''].join('\r\n');

const answer76 = answer(
  'HTTP/1.1 101 WebSocket Protocol Handshake',
  'Upgrade: WebSocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Origin: http://example.com',
  'Sec-WebSocket-Location: ws://example.com/demo?x=1',
);

async function using(
  options: ServerOptions,
  handler: Handler,
  act: (client: RawClient, server: TestServer) => Promise<void>,
) {
  await using server = await listen(handler, options);
  using client = await RawClient.connect(server.port);
  await act(client, server);
}

/** Waits for exactly this, and nothing else. */
async function expectBytes(client: RawClient, expected: string): Promise<void> {
  await client.until(() => client.received.length >= expected.length);
  expect(received(client)).to.equal(expected);
  client.received = Buffer.alloc(0);
}

const text = (content: string) => `\0${content}\xff`;

describe('A server with a client of draft76', () => {
  it('answers with the example of the draft, and echoes', () =>
    using({}, echo, async (client) => {
      client.write(draft76);
      client.write(challenge);
      await expectBytes(client, answer76 + reply);
      client.write(hex('00 48656c6c6f ff'));
      await expectBytes(client, text('Hello'));
    }));

  it('sends its headers before the challenge is received', () =>
    using({}, echo, async (client) => {
      client.write(draft76);
      await expectBytes(client, answer76);
      client.write(challenge);
      await expectBytes(client, reply);
    }));

  const early = Buffer.concat([Buffer.from(draft76), challenge, hex('00 61 ff 00 62 ff')]);
  for (let cut = draft76.length - 1; cut <= early.length; cut++) {
    it(`accepts challenge and frames in any pieces, cut ${cut - draft76.length} bytes after the request`, () =>
      using({}, echo, async (client) => {
        client.write(early.subarray(0, cut));
        if (cut >= draft76.length) await client.until(() => client.received.length >= answer76.length);
        client.write(early.subarray(cut));
        await expectBytes(client, answer76 + reply + text('a') + text('b'));
      }));
  }

  it('keeps frames that are received while the application is waiting', async () => {
    const { promise, resolve } = resolvers();
    const later: Handler = async (_request, response) => {
      await promise;
      echo(_request, response);
    };
    await using({}, later, async (client) => {
      client.write(early);
      resolve();
      await expectBytes(client, answer76 + reply + text('a') + text('b'));
    });
  });

  for (const pieces of [[8], [3, 5], [0, 8]]) {
    it(`accepts a challenge that is declared as the body of the request, in pieces of ${pieces.join(' and ')}`, () =>
      using({}, echo, async (client) => {
        client.write(request(...keys, 'Content-Length: 8'));
        await client.until(() => client.received.length >= answer76.length);
        let at = 0;
        for (const size of pieces) {
          client.write(challenge.subarray(at, at + size));
          at += size;
        }
        client.write(hex('00 61 ff'));
        await expectBytes(client, answer76 + reply + text('a'));
      }));
  }

  it('refuses any other body', () =>
    using({}, echo, async (client) => {
      client.write(request(...keys, 'Content-Length: 9'));
      expect((await client.head()).statusCode).to.equal(400);
    }));

  for (const [what, ...lines] of [
    ['without spaces', keys[0], 'Sec-WebSocket-Key2: 12345'],
    ['without digits', 'Sec-WebSocket-Key1: a b', keys[1]],
    ['that cannot be divided', 'Sec-WebSocket-Key1: 2 L785 8o% s9Sy9@V. 4<1P5', keys[1]],
    ['that is too large', 'Sec-WebSocket-Key1: 99999999999 9', keys[1]],
    ['that is there twice', ...keys, keys[1]],
    ['that is missing', keys[0]],
  ] as [string, ...string[]][]) {
    it(`is not answered for a key ${what}: 400, and the handler is not called`, () =>
      using(
        {},
        () => expect.fail('the handler was called'),
        async (client) => {
          client.write(request(...lines));
          client.write(challenge);
          expect((await client.head()).statusCode).to.equal(400);
        },
      ));
  }

  it('closes the connection of a client that does not send its challenge', () =>
    using(
      { handshakeTimeout: 30 },
      (_request, response) => response.webSocket?.connect(),
      async (client) => {
        client.write(draft76);
        client.write(challenge.subarray(0, 7));
        await client.until(() => false);
        expect(received(client)).to.equal(answer76);
      },
    ));

  for (const how of ['ends', 'is reset'] as const) {
    it(`survives one that ${how} instead of sending its challenge, and tells the program`, async () => {
      const closed: unknown[] = [];
      let done: (() => void) | undefined;
      const handler: Handler = (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        ws.on('error', (error) => closed.push((error as WebSocketError).code));
        ws.on('close', () => done?.());
      };
      await using({}, handler, async (client) => {
        const closing = new Promise<void>((resolve) => {
          done = resolve;
        });
        client.write(draft76);
        await client.until(() => client.received.length >= answer76.length);
        if (how === 'ends') client.socket.end(challenge.subarray(0, 3));
        else client.socket.resetAndDestroy();
        await closing;
        expect(closed).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
      });
    });
  }

  it('gets 1005 and a clean end when the client closes; both byte streams end', async () => {
    let ws: WebSocket | undefined;
    const handler: Handler = (_request, response) => {
      ws = response.webSocket?.connect();
      ws?.pipe(ws);
    };
    await using({}, handler, async (client) => {
      client.write(Buffer.concat([early, hex('ff 00 00 63 ff')]));
      await expectBytes(client, `${answer76 + reply + text('a') + text('b')}\xff\0`);
      await client.until(() => client.ended);
      expect(await ws?.whenClosed()).to.deep.equal({ code: 1005, reason: '', wasClean: true });
    });
  });

  it('closes from its own side; the code is not sent', async () => {
    let ws: WebSocket | undefined;
    const handler: Handler = (_request, response) => {
      ws = response.webSocket?.connect();
      ws?.write('bye');
      ws?.close(4000, 'not sent');
      ws?.resume();
    };
    await using({}, handler, async (client) => {
      client.write(draft76);
      client.write(challenge);
      await expectBytes(client, `${answer76 + reply + text('bye')}\xff\0`);
      client.write(hex('ff 00'));
      expect(await ws?.whenClosed()).to.deep.equal({ code: 1005, reason: '', wasClean: true });
    });
  });

  it('has no binary messages and no pings: these calls fail, and the connection stays open', async () => {
    const failures: unknown[] = [];
    const note = (error?: Error | null) => failures.push((error as WebSocketError).message);
    const handler: Handler = async (_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      ws.sendBinaryMessage('binary', note);
      ws.write(Buffer.of(1), note);
      ws.write(Buffer.of(1));
      await ws.ping().catch(note);
      expect(ws.pong()).to.equal(false);
      expect(ws.version).to.equal('draft76');
      ws.sendTextMessage(Buffer.from('still here'));
    };
    await using({}, handler, async (client) => {
      client.write(draft76);
      client.write(challenge);
      await expectBytes(client, answer76 + reply + text('still here'));
      const unsupported = (what: string) => `This version of the protocol cannot do that: draft76 has no ${what}`;
      const noBinary = unsupported(
        "binary messages: write strings; a stream of bytes gives them after setEncoding('utf8')",
      );
      expect(failures.sort()).to.deep.equal([noBinary, noBinary, unsupported('pings')]);
    });
  });

  it('adds no listener for each binary message that the program tries to send', () => {
    const listeners: number[] = [];
    return using(
      {},
      (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        for (let i = 0; i < 20; i++) ws.write(Buffer.of(i));
        listeners.push(ws.listenerCount('error'));
        ws.write('done');
      },
      async (client) => {
        client.write(draft76);
        client.write(challenge);
        await expectBytes(client, answer76 + reply + text('done'));
        expect(listeners).to.deep.equal([1]);
      },
    );
  });

  it('does not end the process if the program answers text with bytes', () =>
    using(
      {},
      (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        ws.on('message', (message: Message) => ws.write(Buffer.from(message as string)));
        ws.on('message', (message: Message) => ws.write(message));
      },
      async (client) => {
        client.write(early);
        await expectBytes(client, answer76 + reply + text('a') + text('b'));
      },
    ));

  it('gets its subprotocol, the headers of the response, and the location of the request', () =>
    using(
      {},
      (incoming, response) => {
        response.setHeader('Set-Cookie', 'a=b');
        incoming.url = '/rewritten';
        response.webSocket?.connect();
      },
      async (client) => {
        client.write(request(...keys, 'Sec-WebSocket-Protocol: sample'));
        const { headers } = await client.head();
        expect(headers.get('sec-websocket-protocol')).to.equal('sample');
        expect(headers.get('set-cookie')).to.equal('a=b');
        expect(headers.get('sec-websocket-location')).to.equal('ws://example.com/demo?x=1');
      },
    ));

  it('may name other tokens in Connection, and its draft 0', () =>
    using({}, echo, async (client) => {
      client.write(draft76.replace('Connection: Upgrade', 'Connection: keep-alive, Upgrade\r\nSec-WebSocket-Draft: 0'));
      client.write(challenge);
      await expectBytes(client, answer76 + reply);
    }));

  it('is refused if the option versions does not contain it', () =>
    using({ versions: ['13'] }, echo, async (client) => {
      client.write(draft76);
      const { statusCode, headers } = await client.head();
      expect([statusCode, headers.get('sec-websocket-version')]).to.deep.equal([400, '13']);
    }));

  it('can be refused by the application with an ordinary response', () =>
    using(
      {},
      (_request, response) => void response.writeHead(403).end('no'),
      async (client) => {
        client.write(draft76);
        client.write(challenge);
        expect((await client.head()).statusCode).to.equal(403);
      },
    ));
});

function resolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

describe('A server with a client of draft03', () => {
  const open = async (client: RawClient) => {
    client.write(draft03);
    client.write(challenge);
    await expectBytes(client, answer76 + reply);
  };

  const bytes = async (client: RawClient, expected: string) => expectBytes(client, hex(expected).toString('latin1'));

  for (const draft of ['1', '2', '3']) {
    it(`recognizes it by Sec-WebSocket-Draft: ${draft}`, () =>
      using({}, echo, async (client) => {
        client.write(request(...keys, `Sec-WebSocket-Draft: ${draft}`));
        client.write(Buffer.concat([challenge, hex('04 05 48656c6c6f')]));
        await expectBytes(client, `${answer76 + reply}\x04\x05Hello`);
      }));
  }

  it('refuses an unknown draft', () =>
    using({}, echo, async (client) => {
      client.write(request(...keys, 'Sec-WebSocket-Draft: 4'));
      expect((await client.head()).statusCode).to.equal(400);
    }));

  it('echoes text, bytes, fragments and pings', () =>
    using({}, echo, async (client) => {
      await open(client);
      client.write(hex('04 05 48656c6c6f'));
      await bytes(client, '04 05 48656c6c6f');
      client.write(hex('05 02 00ff'));
      await bytes(client, '05 02 00ff');
      client.write(hex('84 03 48656c  02 01 31  00 02 6c6f'));
      await bytes(client, '03 01 31  04 05 48656c6c6f');
    }));

  for (const [what, close] of [
    ['without words', '01 00'],
    ['with words', '01 03 616263'],
  ] as const) {
    it(`repeats a Close frame ${what}, and ends`, () =>
      using({}, echo, async (client) => {
        await open(client);
        client.write(hex(close));
        await bytes(client, close);
        await client.until(() => client.ended);
      }));
  }

  const ours = `01 16 ${Buffer.from('node-websocket-handler').toString('hex')}`;
  for (const [what, sends, gets] of [
    ['repeats it', ours, ''],
    ['answers without words', '01 00', ''],
    ['has closed at the same time', '01 03 616263', '01 03 616263'],
  ] as const) {
    it(`closes with a body of its own, and ends when the peer ${what}`, async () => {
      let ws: WebSocket | undefined;
      const handler: Handler = (_request, response) => {
        ws = response.webSocket?.connect();
        ws?.resume();
      };
      await using({}, handler, async (client) => {
        await open(client);
        ws?.close(1000);
        await bytes(client, ours);
        client.write(hex(sends));
        await client.until(() => client.ended);
        expect(received(client)).to.equal(hex(gets).toString('latin1'));
        expect(await ws?.whenClosed()).to.deep.equal({ code: 1005, reason: '', wasClean: true });
      });
    });
  }

  it('closes on a frame of RFC 6455, which has a mask', () =>
    using({}, echo, async (client) => {
      await open(client);
      client.write(hex('81 85 37fa213d 7f9f4d5158'));
      await bytes(client, ours);
      await client.until(() => client.ended);
    }));
});

describe('A server with a client of draft75', () => {
  it('refuses it by default: its handshake does not prove that the client speaks WebSocket', () =>
    using({}, echo, async (client) => {
      client.write(draft75);
      expect((await client.head()).statusCode).to.equal(400);
    }));

  it('answers it in exactly these lines if the option versions contains it', () =>
    using({ versions: ['13', 'draft75'] }, echo, async (client) => {
      client.write(draft75);
      client.write(hex('00 48656c6c6f ff'));
      const lines = [
        'HTTP/1.1 101 Web Socket Protocol Handshake',
        'Upgrade: WebSocket',
        'Connection: Upgrade',
        'WebSocket-Origin: http://example.com',
        'WebSocket-Location: ws://example.com/demo?x=1',
      ];
      await expectBytes(client, answer(...lines) + text('Hello'));
    }));

  it('treats the end of its byte stream as a clean close', async () => {
    let ws: WebSocket | undefined;
    const handler: Handler = (_request, response) => {
      ws = response.webSocket?.connect();
      ws?.pipe(ws);
    };
    await using({ versions: ['draft75'] }, handler, async (client) => {
      client.write(draft75);
      client.socket.end(hex('00 61 ff'));
      await client.until(() => client.ended);
      expect(received(client).endsWith(text('a'))).to.equal(true);
      expect(await ws?.whenClosed()).to.include({ code: 1005 });
    });
  });

  it('closes by ending its byte stream', () =>
    using(
      { versions: ['draft75'] },
      (_request, response) => response.webSocket?.connect().end('bye'),
      async (client) => {
        client.write(draft75);
        await client.until(() => client.ended);
        expect(received(client).endsWith(text('bye'))).to.equal(true);
      },
    ));
});

describe('A server of every version', () => {
  it('answers 426 with the list to versions between', async () => {
    for (const version of ['4', '5', '6', '9', '14', '255']) {
      await using({}, echo, async (client) => {
        client.write(request('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', `Sec-WebSocket-Version: ${version}`));
        const { statusCode, headers } = await client.head();
        expect([statusCode, headers.get('sec-websocket-version')]).to.deep.equal([426, '13, 8, 7']);
      });
    }
  });
});
