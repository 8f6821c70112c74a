import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { configureServer, type Message } from '../lib/webSocketHandler';
import { listen } from './listen';

/** Passes messages on as they are, text as text and bytes as bytes, and counts them. */
function count(): Transform {
  let messages = 0;
  return new Transform({
    objectMode: true,
    transform(message: Message, _encoding, done) {
      messages++;
      done(null, message);
    },
    // Called when the browser has closed the connection: every message before that has been passed on.
    flush(done) {
      console.log(`Echoed ${messages} ${messages === 1 ? 'message' : 'messages'}`);
      done();
    },
  });
}

/** Changes text to upper case, and passes bytes on as they are. */
function shout(): Transform {
  return new Transform({
    objectMode: true,
    transform(message: Message, _encoding, done) {
      done(null, typeof message === 'string' ? message.toUpperCase() : message);
    },
  });
}

/** A WebSocket is a stream of messages. If the browser reads slowly, the pipe slows down, and no messages pile up in memory. */
export function pipeDemo(request: IncomingMessage, response: ServerResponse): void {
  const ws = response.webSocket;
  if (!ws) {
    response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade', 'Content-Type': 'text/plain' });
    response.end('We only speak WebSockets here\n');
    return;
  }

  ws.connect();
  ws.pipe(request.url === '/shout' ? shout() : count()).pipe(ws);
}

export function createPipeDemo(): Server {
  const server = createServer(pipeDemo);
  configureServer(server);
  return server;
}

if (require.main === module) listen(createPipeDemo());
