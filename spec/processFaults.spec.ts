import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { type ClientOptions, connect, type WebSocket } from '../lib/webSocketHandler';

const script = join(__dirname, 'support', 'echoServer.ts');

/** The echo server in a process of its own, and the lines that it prints. */
class EchoProcess implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly port: number;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams, port: number, lines: AsyncIterator<string>) {
    this.child = child;
    this.port = port;
    this.#lines = lines;
  }

  /** @param shell a command of a shell that runs before the server */
  static async start(shell = 'true'): Promise<EchoProcess> {
    const command = `${shell}; exec "$0" --require ts-node/register "$1"`;
    const child = spawn('/bin/sh', ['-c', command, process.execPath, script]);
    child.stderr.pipe(process.stderr);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const { value: port } = await lines.next();
    return new EchoProcess(child, Number(port), lines);
  }

  connect(options: ClientOptions = { heartbeat: false }, path = '/'): WebSocket {
    return connect(`ws://127.0.0.1:${this.port}${path}`, options);
  }

  async nextLine(): Promise<string> {
    return (await this.#lines.next()).value as string;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

async function echoOf(ws: WebSocket, message: string): Promise<unknown> {
  ws.write(message);
  return (await once(ws, 'message'))[0];
}

describe('A process in trouble', function () {
  this.timeout(120_000);
  let server: EchoProcess;
  before(async () => {
    server = await EchoProcess.start();
  });
  after(() => server[Symbol.asyncDispose]());

  it('that is frozen takes what was sent to it meanwhile, when it goes on', async () => {
    const ws = server.connect();
    expect(await echoOf(ws, 'before')).to.equal('before');
    server.child.kill('SIGSTOP');
    const sent = Array.from({ length: 1000 }, (_, i) => `${i} `.padEnd(1024, 'x'));
    for (const message of sent) ws.write(message);
    server.child.kill('SIGCONT');
    const received: unknown[] = [];
    ws.on('message', (message) => received.push(message));
    ws.end();
    expect((await ws.whenClosed()).wasClean).to.equal(true);
    expect(received).to.deep.equal(sent);
    expect(await server.nextLine()).to.equal('end');
  });

  it('that stays frozen is found by the heartbeat, and learns of it when it goes on', async () => {
    const ws = server.connect({ heartbeat: { interval: 200, timeout: 200 } });
    expect(await echoOf(ws, 'before')).to.equal('before');
    server.child.kill('SIGSTOP');
    const [error] = await once(ws, 'error');
    expect(error.code).to.equal('WS_ERR_HEARTBEAT_TIMEOUT');
    server.child.kill('SIGCONT');
    expect(await server.nextLine()).to.equal('WS_ERR_CONNECTION_LOST');
  });

  it('whose event loop is blocked for longer than its heartbeat ends no live peer for its own silence', async () => {
    const ws = server.connect({ heartbeat: false }, '/impatient');
    expect(await echoOf(ws, 'before')).to.equal('before');
    expect(await (await fetch(`http://127.0.0.1:${server.port}/block`)).text()).to.equal('blocked');
    expect(await echoOf(ws, 'after')).to.equal('after');
    ws.resume().end();
    expect((await ws.whenClosed()).wasClean).to.equal(true);
    expect(await server.nextLine()).to.equal('end');
  });

  it('that has no more file descriptors keeps its connections, and takes new ones when others have ended', async () => {
    await using starved = await EchoProcess.start('ulimit -n 100');
    const open: WebSocket[] = [];
    let refused = 0;
    while (refused < 2) {
      const ws = starved.connect({ handshakeTimeout: 3000 }).on('error', () => {});
      const isOpen = await Promise.race([once(ws, 'open').then(() => true), once(ws, 'close').then(() => false)]).catch(
        () => false,
      );
      if (isOpen) open.push(ws);
      else refused++;
    }
    expect(open.length).to.be.within(1, 100);
    for (const ws of open) expect(await echoOf(ws, 'still here')).to.equal('still here');
    for (const ws of open) ws.resume().end();
    await Promise.all(open.map((ws) => ws.whenClosed()));
    const ws = starved.connect();
    expect(await echoOf(ws, 'a new one')).to.equal('a new one');
    ws.resume().end();
    await ws.whenClosed();
  });
});
