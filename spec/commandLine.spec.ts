import { EventEmitter, once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import { indented } from '../demo/client/json';
import { type CommandLine, parseCommandLine } from '../demo/client/options';
import { knownVersions } from '../lib/versions';
import type { CloseOutcome, Message, Version, WebSocket } from '../lib/webSocketHandler';
import packageJson from '../package.json';
import { createCertificate } from './support/certificate';
import { type Handler, listen, serve } from './support/http';
import { rawServer, switching } from './support/rawServer';
import {
  buildClient,
  client,
  type Ending,
  run,
  runClient,
  runClientInTerminal,
  runInTerminal,
  stopPrograms,
} from './support/runClient';
import { need, python } from './support/tools';
import { hex } from './support/vectors';

const mebibyte = 1024 * 1024;

const urlOf = ({ port }: { port: number }) => `ws://127.0.0.1:${port}/path`;

/** Accepts every request. */
function accepting(talk: (ws: WebSocket) => void): Handler {
  return (_request, response) => talk(response.webSocket?.connect() as WebSocket);
}

const echo = accepting((ws) => void ws.pipe(ws));

/** What the client says when it was the first to close. */
const early = 'the input ended before the server closed, which may have had more to send: see --no-close\n';

/** The page of the documentation about it. */
const manual = join(__dirname, '../docs/cli.md');

/** The long names of the options that a text names. */
function optionsIn(text: string): string[] {
  return [...new Set(text.match(/--[a-z]+(?:-[a-z]+)*/g))];
}

/** Runs the client with an input that ends, up to its own end. */
function converse(parameters: readonly string[], input: string | Uint8Array = ''): Promise<Ending> {
  const program = runClient(parameters);
  program.input.end(input);
  return program.ending;
}

describe('The command line', () => {
  before(buildClient);
  afterEach(stopPrograms);

  it('sends each line as a message, and prints each message as a line', async () => {
    const received: Message[] = [];
    await using server = await listen(accepting((ws) => ws.on('data', (message) => received.push(message)).pipe(ws)));
    const { code, output, complaints } = await converse([urlOf(server)], 'one\n\nGrüße\r\nlast, without an end');
    expect(received).to.deep.equal(['one', '', 'Grüße', 'last, without an end']);
    expect(output).to.equal('one\n\nGrüße\nlast, without an end\n');
    expect(complaints).to.equal(`connected: version 13\nclosed: 1000 (normal closure)\n${early}`);
    expect(code).to.equal(0);
  });

  it('sends a line when it is complete, also a line that was read before the connection was open', async () => {
    const news = new EventEmitter();
    await using server = await listen((_request, response) => {
      const connect = () => response.webSocket?.connect().on('message', (message) => news.emit('message', message));
      news.emit('asked', connect);
    });
    const program = runClient([urlOf(server)]);
    program.input.write('early\nin p');
    const [connect] = await once(news, 'asked');
    connect();
    expect(await once(news, 'message')).to.deep.equal(['early']);
    program.input.write('arts\nand the rest');
    expect(await once(news, 'message')).to.deep.equal(['in parts']);
    program.input.end();
    expect(await once(news, 'message')).to.deep.equal(['and the rest']);
    expect((await program.ending).code).to.equal(0);
  });

  it('sends lines unchanged with --binary, and prints binary messages unchanged', async () => {
    const received: Message[] = [];
    await using server = await listen(accepting((ws) => ws.on('data', (message) => received.push(message)).pipe(ws)));
    const program = runClient(['--binary', urlOf(server)]);
    program.input.end(Buffer.of(0xff, 0x00, 0x0a, 0x0a, 0x80));
    await program.ending;
    expect(received).to.deep.equal([Buffer.of(0xff, 0x00), Buffer.alloc(0), Buffer.of(0x80)]);
    expect(program.output).to.deep.equal(Buffer.of(0xff, 0x00, 0x80));
  });

  it('does not send bytes that are not UTF-8 as text, and closes with an error code', async () => {
    const connections = new EventEmitter();
    await using server = await listen(accepting((ws) => void connections.emit('connection', ws.resume())));
    const program = runClient([urlOf(server)]);
    const [ws] = (await once(connections, 'connection')) as [WebSocket];
    program.input.write(Buffer.of(0x61, 0xff, 0x0a));
    expect((await ws.whenClosed()).code).to.equal(1011);
    const { code, complaints } = await program.ending;
    expect(complaints).to.include('WS_ERR_INVALID_UTF8').and.to.include('--binary');
    expect(code).to.equal(1);
  });

  it('prints escape sequences unchanged if the output is no terminal', async () => {
    await using server = await listen(accepting((ws) => void ws.end('\x1b[31mred\x07')));
    expect((await converse([urlOf(server)])).output).to.equal('\x1b[31mred\x07\n');
  });

  it('offers every given subprotocol and sends every given header', async () => {
    const requests: IncomingMessage[] = [];
    await using server = await listen((request, response) => {
      requests.push(request);
      response.webSocket?.connect({ protocol: 'superchat' }).end();
    });
    const { complaints } = await converse([
      ...['-s', 'chat', '--subprotocol', 'superchat'],
      ...['-H', 'Cookie: a=1', '--header', 'cookie:b=2', '-H', 'X-Colon: a:b', '-H', 'Constructor: me'],
      ...['-H', `Origin: http://127.0.0.1:${server.port}`],
      `127.0.0.1:${server.port}/path?query`,
    ]);
    expect(complaints).to.include('connected: version 13, subprotocol superchat\n');
    const [request] = requests;
    expect(request?.url).to.equal('/path?query');
    expect(request?.headers).to.include({
      'sec-websocket-protocol': 'chat, superchat',
      cookie: 'a=1; b=2',
      'x-colon': 'a:b',
      constructor: 'me',
      origin: `http://127.0.0.1:${server.port}`,
    });
  });

  it('prints the agreed extensions', async () => {
    await using server = await listen(echo, { perMessageDeflate: true });
    const { output, complaints } = await converse([urlOf(server)], 'x'.repeat(5000));
    expect(output).to.equal(`${'x'.repeat(5000)}\n`);
    expect(complaints).to.match(/^connected: version 13, permessage-deflate/);
  });

  it('uses the version given by --draft, and sends an origin in each', async () => {
    const origins: unknown[] = [];
    await using server = await listen(
      (request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        origins.push(`${ws.version}: ${request.headers.origin ?? request.headers['sec-websocket-origin']}`);
        ws.pipe(ws);
      },
      { versions: knownVersions },
    );
    const old = knownVersions.filter((version) => version !== '13');
    const talk = async (version: Version) => {
      const program = runClient(['-d', version, '-H', 'Origin: http://a.example', urlOf(server)]);
      program.input.write('Grüße\n');
      await program.until(({ output }) => output.toString() === 'Grüße\n');
      program.input.end();
      const { code, complaints } = await program.ending;
      expect(complaints).to.include(`connected: version ${version}\n`);
      expect(code, version).to.equal(0);
    };
    await Promise.all(old.map(talk));
    expect(origins).to.have.members(old.map((version) => `${version}: http://a.example`));
  });

  it('prints messages received after the end of its input, until the server has closed', async () => {
    await using server = await listen(
      accepting((ws) => {
        ws.resume().once('end', () => {
          ws.write('late');
          ws.end('later');
        });
      }),
    );
    const { code, output } = await converse([urlOf(server)], 'question\n');
    expect([code, output]).to.deep.equal([0, 'late\nlater\n']);
  });

  it('says that the download may be cut short if its own Close frame was the first', async () => {
    // As most servers do: nothing is sent after the Close frame of the client.
    await using server = await rawServer((head, socket) => {
      socket.write(switching(head));
      socket.write(hex('81 03 6f 6e 65'));
      socket.once('data', () => socket.end(hex('88 02 03 e8')));
    });
    const { code, output, complaints } = await converse([urlOf(server)]);
    expect([code, output]).to.deep.equal([0, 'one\n']);
    expect(complaints).to.equal(`connected: version 13\nclosed: 1000 (normal closure)\n${early}`);
  });

  it('does not say so if the server has closed first, with or without an end of the input', async () => {
    await using server = await listen(accepting((ws) => void ws.end('all')));
    const { output, complaints } = await converse(['--no-close', urlOf(server)]);
    expect(output).to.equal('all\n');
    expect(complaints).to.equal('connected: version 13\nclosed: 1000 (normal closure)\n');
  });

  it('does not say so if the connection was never open: refused, or no server', async () => {
    await using refusing = await listen((_request, response) => void response.writeHead(403).end());
    const gone = await rawServer(() => {});
    await gone[Symbol.asyncDispose]();
    for (const [server, error] of [
      [refusing, 'WS_ERR_HANDSHAKE_REFUSED'],
      [gone, 'WS_ERR_CONNECTION_FAILED'],
    ] as const) {
      const { code, complaints } = await converse([urlOf(server)], 'a line\n');
      expect(complaints).to.match(new RegExp(`^${error}: .*\\n$`));
      expect(code).to.equal(3);
    }
  });

  it('fails if its Close frame has cut a message short', async () => {
    await using server = await rawServer((head, socket) => {
      socket.write(switching(head));
      // The first fragment of a message, and no other.
      socket.write(hex('01 03 6f 6e 65'));
      socket.once('data', () => socket.end(hex('88 02 03 e8')));
    });
    const { code, complaints } = await converse([urlOf(server)]);
    expect(complaints).to.include('WS_ERR_TRUNCATED').and.to.include(early);
    expect(code).to.equal(1);
  });

  it('stays connected after the end of its input with --no-close, and prints what the server sends', async () => {
    const connections = new EventEmitter();
    await using server = await listen(accepting((ws) => void connections.emit('connection', ws)));
    const program = runClient(['--no-close', urlOf(server)]);
    program.input.end('question\n');
    const [ws] = (await once(connections, 'connection')) as [WebSocket];
    expect(await once(ws, 'data')).to.deep.equal(['question']);
    // The answer to a ping shows that the client has had the time to close, and has not.
    for (let i = 0; i < 3; i++) await ws.ping();
    expect(ws.readableEnded).to.equal(false);
    ws.write('late');
    await program.until(({ output }) => output.toString() === 'late\n');
    ws.end('later');
    const { code, output } = await program.ending;
    expect([code, output]).to.deep.equal([0, 'late\nlater\n']);
  });

  it('sends each line as often as --repeat says', async () => {
    const received: Message[] = [];
    await using server = await listen(accepting((ws) => ws.on('data', (message) => received.push(message)).pipe(ws)));
    const { output } = await converse(['--repeat', '3', urlOf(server)], 'one\ntwo');
    expect(received).to.deep.equal(['one', 'one', 'one', 'two', 'two', 'two']);
    expect(output).to.equal('one\none\none\ntwo\ntwo\ntwo\n');
  });

  it('indents JSON with --json, without changing a value, and leaves other messages as they are', async () => {
    const messages = ['{"id":12345678901234567890,"a":[1.0,{"b":[]},{}],"a":"[\\",:]"}', 'no {json}', '"text"', '[]'];
    await using server = await listen(
      accepting((ws) => {
        for (const message of messages) ws.write(message);
        ws.end(Buffer.from('{"binary":1}'));
      }),
    );
    const program = runClient(['--json', urlOf(server)]);
    expect((await program.ending).output).to.equal(
      [
        '{',
        '  "id": 12345678901234567890,',
        '  "a": [',
        '    1.0,',
        '    {',
        '      "b": []',
        '    },',
        '    {}',
        '  ],',
        '  "a": "[\\",:]"',
        '}',
        'no {json}',
        '"text"',
        '[]',
        '{"binary":1}',
      ].join('\n'),
    );
  });

  it('indents every JSON as JSON.stringify() does that wrote it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(indented(JSON.stringify(value))).to.equal(JSON.stringify(value, null, 2));
        expect(indented(JSON.stringify(value, null, '\t'))).to.equal(JSON.stringify(value, null, 2));
      }),
    );
  });

  it('sends pings with --ping, and prints the time to each pong', async () => {
    const connections = new EventEmitter();
    await using server = await listen(accepting((ws) => void connections.emit('connection', ws.resume())));
    const program = runClient(['--ping', '0.01', urlOf(server)]);
    const [ws] = (await once(connections, 'connection')) as [WebSocket];
    for (let i = 0; i < 3; i++) await once(ws, 'ping');
    await program.until(({ complaints }) => (complaints.match(/^pong after \d+\.\d ms$/gm) ?? []).length >= 3);
    program.input.end();
    expect((await program.ending).code).to.equal(0);
  });

  it('refuses --ping in a version without pings', async () => {
    await using server = await listen(echo, { versions: knownVersions });
    const { code, complaints } = await runClient(['--ping', '0.01', '--draft', 'draft76', urlOf(server)]).ending;
    expect(complaints).to.include('draft76 has no pings');
    expect(code).to.equal(2);
  });

  it('compresses short messages as well with --deflate, and none with --no-deflate', async () => {
    const line = 'a'.repeat(100);
    const converseWith = async (option: string) => {
      await using server = await listen(echo, { perMessageDeflate: true });
      const bytes = new Promise<number>((resolve) => {
        server.server.on('connection', (socket) => socket.once('close', () => resolve(socket.bytesRead)));
      });
      const { output, complaints } = await converse([option, '--repeat', '100', urlOf(server)], line);
      expect(output).to.equal(`${line}\n`.repeat(100));
      return { bytes: await bytes, complaints };
    };
    const [deflated, plain] = await Promise.all([converseWith('--deflate'), converseWith('--no-deflate')]);
    expect(deflated.complaints).to.match(/^connected: version 13, permessage-deflate/);
    expect(deflated.bytes).to.be.lessThan(line.length * 50);
    expect(plain.complaints).to.match(/^connected: version 13\n/);
    expect(plain.bytes).to.be.greaterThan(line.length * 100);
  });

  it('says that the server does not compress if --deflate asks for it', async () => {
    await using server = await listen(echo);
    const { code, complaints } = await converse(['--deflate', urlOf(server)], 'hello');
    expect(complaints).to.include('connected: version 13\nthe server has not agreed to compression\n');
    expect(code).to.equal(0);
  });

  describe('over TLS', () => {
    const name = 'A private authority';
    const authority = createCertificate({ name, authority: true });
    const certificate = createCertificate({ issuer: { name, key: authority.key } });
    let folder: string;
    let ca: string;

    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'certificates-'));
      ca = join(folder, 'ca.pem');
      writeFileSync(ca, `A text before the certificates.\n${createCertificate().cert}${authority.cert}`);
    });
    after(() => rmSync(folder, { recursive: true }));

    const secure = (handler: Handler) => serve(createSecureServer(certificate, handler));
    const secureUrlOf = ({ port }: { port: number }) => `wss://127.0.0.1:${port}/`;

    it('refuses a certificate of an authority that it does not know', async () => {
      await using server = await secure(echo);
      const { code, complaints } = await converse([secureUrlOf(server)], 'secret\n');
      expect(complaints).to.match(/^WS_ERR_CONNECTION_FAILED: .*certificate/);
      expect(code).to.equal(3);
    });

    it('trusts the authorities in the file of --ca, and no others', async () => {
      await using server = await secure(echo);
      const { code, output } = await converse(['--ca', ca, secureUrlOf(server)], 'secret\n');
      expect([code, output]).to.deep.equal([0, 'secret\n']);
      await using other = await serve(createSecureServer(createCertificate(), echo));
      expect((await converse(['--ca', ca, secureUrlOf(other)])).code).to.equal(3);
    });

    it('checks the name of the server also with --ca', async () => {
      await using server = await secure(echo);
      const { code, complaints } = await converse(['--ca', ca, `wss://127.0.0.2:${server.port}/`]);
      expect(complaints).to.include('127.0.0.2');
      expect(code).to.equal(3);
    });

    it('trusts any certificate with --insecure', async () => {
      await using server = await secure(echo);
      const { code, output } = await converse(['-k', secureUrlOf(server)], 'public\n');
      expect([code, output]).to.deep.equal([0, 'public\n']);
    });

    it('refuses a file of --ca that is missing or has no certificate', () => {
      const empty = join(folder, 'empty.pem');
      const broken = join(folder, 'broken.pem');
      writeFileSync(empty, authority.key);
      writeFileSync(broken, authority.cert.replace(/\w{64}/, ''));
      for (const file of [join(folder, 'missing.pem'), empty, broken])
        expect(() => parseCommandLine(['--ca', file, 'wss://a.example'])).to.throw(
          `--ca takes a file with certificates`,
        );
    });
  });

  it('reads its input only as fast as the server reads, and loses no line', async () => {
    const size = 8192;
    const count = 4096;
    const line = (number: number) => `${number} `.padEnd(size - 1, '.');
    let taken = 0;
    const input = Readable.from(
      (function* () {
        for (; taken < count; taken++) yield `${line(taken)}\n`;
      })(),
    );
    const connections = new EventEmitter();
    await using server = await listen(accepting((ws) => void connections.emit('connection', ws)));
    const program = runClient([urlOf(server)]);
    input.pipe(program.input);
    const [ws] = (await once(connections, 'connection')) as [WebSocket];

    // A server that does not read. Each of its messages shows that the client has had the time to take more.
    let before = -1;
    for (let printed = 0, still = 0; still < 20; printed++) {
      still = taken === before ? still + 1 : 0;
      before = taken;
      ws.write('tick');
      await program.until(({ output }) => output.length > printed * 'tick\n'.length);
    }
    expect(taken * size).to.be.lessThan((count * size) / 2);

    let number = 0;
    for await (const message of ws) if (message !== line(number++)) expect.fail(`Line ${number} has not arrived`);
    expect(number).to.equal(count);
    expect((await program.ending).code).to.equal(0);
  });

  it('closes with 1001 on SIGINT and on SIGTERM', async () => {
    const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;
    const interrupt = async (signal: keyof typeof exitCodes) => {
      const outcomes: Promise<CloseOutcome>[] = [];
      await using server = await listen(accepting((ws) => outcomes.push(ws.resume().whenClosed())));
      const program = runClient([urlOf(server)]);
      await program.until(({ complaints }) => complaints.includes('connected'));
      program.kill(signal);
      expect((await program.ending).code).to.equal(exitCodes[signal]);
      expect(await outcomes[0]).to.deep.equal({ code: 1001, reason: '', wasClean: true });
    };
    await Promise.all([interrupt('SIGINT'), interrupt('SIGTERM')]);
  });

  it('closes the connection at once on a second signal, if the server does not read', async () => {
    await using server = await rawServer((head, socket) => {
      socket.pause();
      socket.write(switching(head));
    });
    const program = runClient([urlOf(server)]);
    // The client is reading the second line, so it is sending the first, which is more than what is between us can take.
    const lines = `${'x'.repeat(32 * mebibyte)}\n${'y'.repeat(mebibyte)}`;
    await new Promise((resolve) => program.input.write(lines, resolve));
    program.kill('SIGINT');
    await program.until(({ complaints }) => complaints.includes('closing'));
    program.kill('SIGINT');
    expect((await program.ending).code).to.equal(130);
  });

  it('exits at once when it is interrupted before the connection is open', async () => {
    const requests = new EventEmitter();
    await using server = await rawServer(() => requests.emit('request'));
    const program = runClient([urlOf(server)]);
    await once(requests, 'request');
    program.kill('SIGINT');
    const { code, complaints } = await program.ending;
    expect(code).to.equal(130);
    expect(complaints).to.not.include('WS_ERR');
  });

  it('exits without an error when the reader of its output has closed the pipe', async () => {
    await using server = await listen(echo);
    const script = '{ "$@"; echo "code $?" >&2; } | head -1';
    const program = run(['sh', '-c', script, 'sh', ...client, urlOf(server)]);
    program.input.write('one\n');
    await program.until(({ output }) => output.length > 0);
    program.input.write('two\n');
    const { output, complaints } = await program.ending;
    expect(output).to.equal('one\n');
    expect(complaints).to.equal('connected: version 13\nthe reader of the output has ended\ncode 0\n');
  });

  describe('has an exit code for each end of the connection:', () => {
    const endings: readonly (readonly [code: number, what: string, talk: (ws: WebSocket) => void, told: string])[] = [
      [0, 'the server closed with 1000', (ws) => ws.close(1000, 'so long'), 'closed: 1000 (normal closure), so long\n'],
      [0, 'with 1001', (ws) => ws.close(1001), 'closed: 1001 (going away)\n'],
      [1, 'with a code of its own', (ws) => ws.close(4000, 'not\nyou'), 'closed: 4000, not\n  you\n'],
      [1, 'with 1011', (ws) => ws.close(1011), 'closed: 1011 (internal error)\n'],
      [1, 'not at all: the connection was lost', (ws) => ws.abort(), 'WS_ERR_CONNECTION_LOST'],
    ];

    for (const [code, what, talk, told] of endings) {
      it(`${code}, ${what}`, async () => {
        await using server = await listen(accepting(talk));
        // The input does not end.
        const program = runClient([urlOf(server)]);
        const ending = await program.ending;
        expect(ending.complaints).to.include('connected: version 13\n').and.to.include(told);
        expect(ending.code).to.equal(code);
      });
    }

    it('0, with no code', async () => {
      await using server = await rawServer((head, socket) => {
        socket.write(switching(head));
        socket.end(hex('88 00'));
      });
      const program = runClient([urlOf(server)]);
      const { code, complaints } = await program.ending;
      expect(complaints).to.include('closed: 1005 (no code)');
      expect(code).to.equal(0);
    });

    it('3, the request was refused: prints the status and the beginning of the body', async () => {
      const body = `Not today,\n\x1b[2Jmy friend. ${'x'.repeat(1000)}`;
      await using server = await listen((_request, response) => void response.writeHead(403).end(body));
      const program = runClient([urlOf(server)]);
      const { code, output, complaints } = await program.ending;
      expect(complaints).to.match(
        /^WS_ERR_HANDSHAKE_REFUSED: .*403 Forbidden\n {2}Not today,\n {2}\\x1b\[2Jmy friend. x+…\n$/,
      );
      expect(complaints.length).to.be.lessThan(body.length);
      expect([code, output]).to.deep.equal([3, '']);
    });

    it('3, there is no server', async () => {
      const server = await rawServer(() => {});
      await server[Symbol.asyncDispose]();
      const program = runClient([urlOf(server)]);
      const { code, complaints } = await program.ending;
      expect(complaints).to.match(/^WS_ERR_CONNECTION_FAILED: .*ECONNREFUSED.*\n$/);
      expect(code).to.equal(3);
    });

    it('2, the options or the URL are invalid', async () => {
      await using server = await listen(echo, { versions: knownVersions });
      const [missing, unknown, impossible] = await Promise.all([
        converse([]),
        converse(['--draft', '14', urlOf(server)]),
        converse(['--binary', '--draft', 'draft76', urlOf(server)], 'a line\n'),
      ]);
      const hint = 'The option --help tells what it takes.\n';
      expect(missing.complaints).to.equal(`node-websocket-handler: An argument is invalid: there is no URL\n${hint}`);
      expect(unknown.complaints).to.match(/^node-websocket-handler: .*'draft76'.*\n.*--help.*\n$/);
      expect(impossible.complaints)
        .to.include('draft76 has no binary messages')
        .and.not.match(/^ +at /m);
      for (const { code, output } of [missing, unknown, impossible]) expect([code, output]).to.deep.equal([2, '']);
    });
  });

  it('prints what is wrong with its parameters', () => {
    const wrong: readonly (readonly [parameters: string[], told: string])[] = [
      [['ws://a.example', 'ws://b.example'], '2 URLs'],
      [['--loud', 'ws://a.example'], '--loud'],
      [['-H', 'Accept', 'ws://a.example'], 'the header Accept has no colon'],
      [['-s'], '--subprotocol'],
      [['--repeat', '0', 'ws://a.example'], '--repeat takes a positive integer, not "0"'],
      [['--repeat=1e3', 'ws://a.example'], '--repeat takes a positive integer'],
      [['--ping', 'often', 'ws://a.example'], '--ping takes seconds from 0.001 to 2147483, not "often"'],
      [['--ping=0', 'ws://a.example'], '--ping takes seconds'],
    ];
    for (const [parameters, told] of wrong) expect(() => parseCommandLine(parameters)).to.throw(told);
  });

  it('adds ws: to a URL without a scheme', () => {
    const taken = (url: string) => (parseCommandLine([url]) as CommandLine).url;
    expect(taken('localhost:4080/echo')).to.equal('ws://localhost:4080/echo');
    expect(taken('[::1]:4080')).to.equal('ws://[::1]:4080');
    for (const url of ['wss://a.example', 'HTTPS://a.example', 'ws+unix:/run/socket:/path'])
      expect(taken(url)).to.equal(url);
  });

  it('has a help that fits a terminal of 24 lines and 80 columns, with the prompt of the shell', async () => {
    const { output } = await converse(['--help']);
    const lines = output.trimEnd().split('\n');
    expect(lines.length).to.be.at.most(23);
    expect(lines.filter((line) => line.length > 80)).to.deep.equal([]);
  });

  it('prints its options with --help, and the version of the package with --version', async () => {
    const [help, version] = await Promise.all([converse(['-h']), converse(['--version'])]);
    expect(optionsIn(help.output)).to.have.members(optionsIn(readFileSync(manual, 'utf8')));
    expect(optionsIn(help.output)).to.include.members(['--binary', '--ca', '--no-close', '--version']);
    expect([help.code, help.complaints]).to.deep.equal([0, '']);
    expect([version.code, version.output]).to.deep.equal([0, `${packageJson.version}\n`]);
  });

  describe('on a terminal', () => {
    const connections = new EventEmitter();
    const greet = accepting((ws) => void connections.emit('connection', ws));
    let path: string;

    before(function () {
      path = need(python, this);
    });

    it('has a prompt, and prints messages above it while the user types', async () => {
      await using server = await listen(greet);
      const terminal = runClientInTerminal(path, [urlOf(server)]);
      const shows = (pattern: RegExp) => terminal.until(({ output }) => pattern.test(output.toString()));
      const [ws] = (await once(connections, 'connection')) as [WebSocket];
      await shows(/connected: version 13.*\r\n.*> /);
      terminal.input.write('half');
      await shows(/half$/);
      ws.write('something comes');
      await shows(/< something comes.*\r\n.*> half/);
      terminal.input.write(' a line\r');
      expect(await once(ws, 'data')).to.deep.equal(['half a line']);
    });

    it('ends its input at Ctrl-D, and prints messages received after that', async () => {
      await using server = await listen(greet);
      const terminal = runClientInTerminal(path, [urlOf(server)]);
      const [ws] = (await once(connections, 'connection')) as [WebSocket];
      terminal.input.write('question\r\x04');
      const question: Message[] = await ws.toArray();
      ws.end('answer');
      const { code, output } = await terminal.ending;
      expect(question).to.deep.equal(['question']);
      expect(output).to.match(/< answer.*\r\n.*closed: 1000/);
      expect(code).to.equal(0);
    });

    it('closes with 1001 on Ctrl-C', async () => {
      await using server = await listen(greet);
      const terminal = runClientInTerminal(path, [urlOf(server)]);
      const [ws] = (await once(connections, 'connection')) as [WebSocket];
      await terminal.until(({ output }) => output.includes('connected'));
      terminal.input.write('never sent\x03');
      ws.resume();
      expect((await ws.whenClosed()).code).to.equal(1001);
      expect((await terminal.ending).code).to.equal(130);
    });

    it('shows escape sequences of the server as text, and binary messages in hex', async () => {
      await using server = await listen(
        accepting((ws) => {
          ws.write('a\x1b[2Jb\x07\r\x9b\u202e\x7f\tc\r\n< d');
          ws.write(Buffer.from('bytes \x1b[2J and more of them', 'latin1'));
          ws.close(4000, 'e\x1b[2Jf');
        }),
      );
      const terminal = runClientInTerminal(path, [urlOf(server)], { env: { NO_COLOR: '1' } });
      const { output } = await terminal.ending;
      expect(output).to.include('< a\\x1b[2Jb\\x07\\x0d\\x9b\\u202e\\x7f\tc\r\n  < d\r\n');
      expect(output).to.include(
        [
          '< 27 bytes',
          '  62 79 74 65 73 20 1b 5b 32 4a 20 61 6e 64 20 6d  bytes .[2J and m',
          '  6f 72 65 20 6f 66 20 74 68 65 6d                 ore of them',
        ].join('\r\n'),
      );
      expect(output).to.include('closed: 4000, e\\x1b[2Jf\r\n');
      expect(output).to.not.include('\x1b[2J');
    });

    it('has colours unless NO_COLOR is set, and a prompt only for input from the terminal', async () => {
      await using server = await listen(echo);
      const converse = async (env?: Record<string, string>) => {
        const piped = ['sh', '-c', 'echo hello | "$@"', 'sh', ...client, urlOf(server)];
        const terminal = runInTerminal(path, piped, env && { env });
        return (await terminal.ending).output;
      };
      expect(await converse())
        .to.include('\x1b[36m< hello\x1b[39m\r\n')
        .and.not.include('> ');
      const plain = `connected: version 13\n< hello\nclosed: 1000 (normal closure)\n${early}`;
      expect(await converse({ NO_COLOR: '1' })).to.equal(plain.replaceAll('\n', '\r\n'));
    });
  });
});
