import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { connect, type WebSocket } from '../lib/webSocketHandler';

const folder = join(__dirname, 'httparena');

/** The entry for HttpArena, with the build of this folder in the place of the package: it echoes text and binary at /ws, and only there. */
export async function tryArenaEntry(): Promise<void> {
  const modules = join(folder, 'node_modules');
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(modules);
  symlinkSync(join(__dirname, '..'), join(modules, 'node-websocket-handler'));
  const port = await freePort();
  const env = { ...process.env, PORT: String(port) };
  const entry = spawn(process.execPath, ['server.js'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await Promise.race([once(entry.stdout, 'data'), once(entry, 'exit')]);
    if (entry.exitCode !== null) throw new Error(`httparena: server.js has exited with ${entry.exitCode}`);
    const ws = connect(`ws://127.0.0.1:${port}/ws`);
    for (const message of ['hello', Buffer.from('hello')]) await expectEcho(ws, message);
    ws.close();
    await ws.whenClosed();
    const [refusal] = (await once(connect(`ws://127.0.0.1:${port}/`), 'error')) as [{ statusCode?: number }];
    if (refusal.statusCode !== 404) throw new Error(`httparena: / was answered with ${refusal.statusCode}`);
  } finally {
    entry.kill();
    rmSync(modules, { recursive: true });
  }
}

async function expectEcho(ws: WebSocket, message: string | Buffer): Promise<void> {
  ws.write(message);
  const [echo] = await once(ws, 'message');
  if (typeof echo !== typeof message || String(echo) !== String(message)) throw new Error(`httparena: echo ${echo}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
