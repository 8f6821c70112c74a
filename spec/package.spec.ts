import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { pack } from '../scripts/pack';
import { listen } from './support/http';
import { run as runProgram, stopPrograms } from './support/runClient';

const root = resolve(__dirname, '..');

/** An empty project with the packed library in it, as `npm install` leaves it. */
describe('The package', function () {
  this.timeout(120_000);
  let project: string;
  let tarball: string;

  const run = (command: string, ...parameters: string[]) =>
    execFileSync(command, parameters, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  before(() => {
    project = mkdtempSync(join(tmpdir(), 'installed-'));
    tarball = pack(project);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true }));
    // `npm ci` leaves the packages in npm's cache, but not the list of their versions, which is asked for here.
    run('npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', tarball);
  });
  afterEach(stopPrograms);
  after(() => rmSync(project, { recursive: true }));

  /** What a user's first program does: it echoes one message through a pair. */
  const program = `
    const [server, client] = createPair();
    server.pipe(server);
    client.on('data', (message) => console.log(message)).end('it works');
    console.log(typeof configureServer, typeof Deframer, typeof Framer, typeof WebSocketError, typeof isWebSocketRequest);`;
  const printed = 'function function function function function\nit works\n';
  const names = '{ configureServer, createPair, Deframer, Framer, isWebSocketRequest, WebSocketError }';

  it('can be required', () => {
    writeFileSync(join(project, 'required.cjs'), `const ${names} = require('node-websocket-handler');${program}`);
    expect(run('node', 'required.cjs')).to.equal(printed);
  });

  it('can be imported, by name', () => {
    writeFileSync(join(project, 'imported.mjs'), `import ${names} from 'node-websocket-handler';${program}`);
    expect(run('node', 'imported.mjs')).to.equal(printed);
  });

  it('has the helpers for frameworks as default imports, and needs no framework to load them or itself', () => {
    const helpers = ['fastify', 'koa', 'hono'].map((name) => `node-websocket-handler/${name}`);
    const imports = helpers.map((name, i) => `import helper${i} from '${name}';`).join('\n');
    const imported = helpers.map((_, i) => `typeof helper${i}`).join(', ');
    writeFileSync(join(project, 'helpers.mjs'), `${imports}\nconsole.log(${imported});`);
    expect(run('node', 'helpers.mjs')).to.equal('function function function\n');
    const required = helpers.map((name) => `typeof require('${name}').default`).join(', ');
    writeFileSync(join(project, 'helpers.cjs'), `console.log(${required});`);
    expect(run('node', 'helpers.cjs')).to.equal('function function function\n');
  });

  it('has the API of ws under node-websocket-handler/ws, as a class with the others as its properties, and by name', () => {
    const use = `
      console.log(WebSocket.OPEN, WebSocketServer === WebSocket.WebSocketServer, WebSocket === WebSocket.WebSocket);`;
    writeFileSync(
      join(project, 'ws.cjs'),
      `const WebSocket = require('node-websocket-handler/ws');
       const { WebSocketServer } = WebSocket;${use}`,
    );
    writeFileSync(
      join(project, 'ws.mjs'),
      `import WebSocket, { WebSocketServer } from 'node-websocket-handler/ws';${use}`,
    );
    for (const file of ['ws.cjs', 'ws.mjs']) expect(run('node', file)).to.equal('1 true true\n');
  });

  it('has types that a strict compiler accepts, without skipLibCheck', () => {
    mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
    for (const name of ['@types/node', 'undici-types']) {
      symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
    }
    writeFileSync(
      join(project, 'typed.mts'),
      `import { createServer } from 'node:http';
       import { Duplex } from 'node:stream';
       import WebSocket, { WebSocketServer } from 'node-websocket-handler/ws';
       import { configureServer, createPair, type CloseOutcome, type Message } from 'node-websocket-handler';
       const server = createServer((_request, response) => {
         const ws = response.webSocket?.connect({ protocol: 'chat' });
         ws?.on('message', (message: Message, { binary }) => binary || ws.sendTextMessage(message));
         ws?.on('ping', (payload) => payload.readUInt8(0));
       });
       const handle = configureServer(server, { origins: ['https://example.org'], maxMessageSize: 1024 });
       for (const connection of handle.connections) connection.close(1001);
       const [one] = createPair();
       new WebSocketServer({ port: 0 }).on('connection', (socket: WebSocket) => socket.send('hello', { binary: false }));
       new WebSocket('ws://localhost').on('message', (data, isBinary) => isBinary || String(data)).onclose = ({ code }) => code;
       const outcome: CloseOutcome = await one.whenClosed();
       export const web = Duplex.toWeb(one);
       export const code: number = outcome.code;
       // @ts-expect-error an option that does not exist
       configureServer(server, { maxPayload: 1 });`,
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    run(
      'node',
      compiler,
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'node20',
      '--types',
      'node',
      'typed.mts',
    );
  });

  it('has a command that works with an echo server', async () => {
    expect(run('npx', '--no-install', 'node-websocket-handler', '--help')).to.match(/^Usage: node-websocket-handler /);
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.pipe(ws);
    });
    const command = ['npx', '--no-install', 'node-websocket-handler', `localhost:${server.port}/echo`];
    const program = runProgram(command, { cwd: project });
    program.input.end('it\nworks\n');
    const { code, output } = await program.ending;
    expect([code, output]).to.deep.equal([0, 'it\nworks\n']);
  });

  it('has the same for bundlers, as ES modules', () => {
    const withDefault = { './koa': 'koa', './hono': 'hono', './fastify': 'fastify', './ws': 'ws' };
    const withoutDefault = {
      '.': 'webSocketHandler',
      './topics': 'topics',
      './topics/contract': 'topicsContract',
      './topics/redis': 'topics-redis',
    };
    const entries = { ...withDefault, ...withoutDefault };
    const folder = join(project, 'node_modules/node-websocket-handler');
    for (const [entry, file] of Object.entries(entries)) {
      writeFileSync(
        join(project, 'names.mjs'),
        `import * as forNode from '${join('node-websocket-handler', entry)}';
         import * as forBundlers from '${join(folder, 'dist/modules', `${file}.mjs`)}';
         const names = (module) => Object.keys(module).filter((name) => !['default', 'module.exports', '__esModule'].includes(name));
         console.log(JSON.stringify([forNode, forBundlers].map(names)), typeof forNode.default === typeof forBundlers.default);`,
      );
      const [names, sameDefault] = run('node', 'names.mjs').trim().split(' ');
      const [forNode, forBundlers] = JSON.parse(names as string) as string[][];
      expect(forBundlers, entry).to.include.members(forNode as string[]);
      // A CommonJS module has its exports as `default`; these entries have no default of their own.
      expect(sameDefault, entry).to.equal(String(entry in withDefault));
    }
  });

  it('has one runtime dependency', () => {
    const manifest = join(project, 'node_modules/node-websocket-handler/package.json');
    const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies: object };
    expect(Object.keys(dependencies)).to.deep.equal(['minizlib']);
  });

  it('has the documentation, for people and for coding assistants', () => {
    const folder = join(project, 'node_modules/node-websocket-handler');
    const pages = readdirSync(join(root, 'docs')).filter((name) => /(?<!\.api)\.md$/.test(name));
    expect(readdirSync(join(folder, 'docs'))).to.have.members(pages);
    expect(readdirSync(folder)).to.include.members(['README.md', 'CHANGELOG.md', 'SKILL.md', 'llms.txt']);
  });

  it('has nothing but what is built, and the documentation, without source maps, and is as large as the README says', () => {
    const files = readdirSync(join(project, 'node_modules/node-websocket-handler'), {
      recursive: true,
      withFileTypes: true,
    }).filter((entry) => entry.isFile());
    expect(
      files.filter(
        ({ name }) => !/^(?:.*\.(?:d\.)?m?[jt]s|ws\.cjs|package\.json|.*\.md|llms\.txt|LICENSE)$/.test(name),
      ),
    ).to.deep.equal([]);
    expect(files.filter(({ name }) => name.endsWith('ts') && !/\.d\.m?ts$/.test(name))).to.deep.equal([]);
    const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    // npm prints kilobytes of 1,000 bytes, and megabytes of 1,000,000.
    const [, kilobytes, megabytes] = /About (\d+) kB packed and ([\d.]+) MB unpacked/.exec(readme) as RegExpExecArray;
    expect(statSync(tarball).size / 1000).to.be.closeTo(Number(kilobytes), Number(kilobytes) / 10);
    expect(bytes / 1_000_000).to.be.closeTo(Number(megabytes), Number(megabytes) / 10);
  });
});
