import { once } from 'node:events';
import { acceptKey } from '../../../lib/codec/acceptKey';
import { type ClientOptions, connect, type Version, WebSocketError } from '../../../lib/webSocketHandler';
import { FakeSocket } from '../fakeSocket';
import { cut, Input } from '../input';
import { settling } from '../settling';

const versions: readonly Version[] = ['13', '8', 'draft03', 'draft76', 'draft75'];

/** The answer, with the words for which a server has to compute something: `{accept}`. */
function completed(template: Buffer, request: string): Buffer {
  const [, key = ''] = /^sec-websocket-key: (.*)$/im.exec(request) ?? [];
  return Buffer.from(template.toString('latin1').replace('{accept}', acceptKey(key.trim())), 'latin1');
}

/** Whatever a server answers, and then sends: the client settles, with WebSocketErrors, and leaves nothing open. */
export const fuzz = settling(async (data: Buffer): Promise<void> => {
  const input = new Input(data);
  const size = input.byte();
  const version = input.pick(versions);
  const options: ClientOptions = {
    version,
    perMessageDeflate: input.flag(),
    followRedirects: 0,
    heartbeat: false,
    sendTimeout: false,
    maxMessageSize: 1000,
    ...(input.flag() && { protocols: ['chat'] }),
  };
  const template = input.rest();
  const socket = new FakeSocket();
  socket.on('error', () => {});
  let request = '';
  socket.onWrite = (bytes) => {
    if (request.includes('\r\n\r\n')) return;
    request += bytes.toString('latin1');
    if (!request.includes('\r\n\r\n')) return;
    for (const piece of cut(completed(template, request), size)) socket.push(piece);
    socket.push(null);
  };
  const ws = connect('ws://localhost/', { ...options, createConnection: () => socket as never });
  const failures: unknown[] = [];
  ws.on('error', (error) => failures.push(error));
  ws.on('message', () => {});
  await once(ws, 'close').catch(() => {});
  if (!ws.destroyed) await once(ws, 'close');
  const { code } = await ws.whenClosed();
  for (const error of failures) if (!(error instanceof WebSocketError)) throw error;
  if (failures.length > 1) throw new Error(`${failures.length} errors`);
  if (failures.length === 0 && code === 1006) throw new Error('a connection that was lost, without an error');
  if (!socket.destroyed) socket.destroy();
});
