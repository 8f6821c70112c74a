import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import type { WebSocket } from '../lib/webSocketHandler';

/** Joins a WebSocket with a TCP connection: to the HTTP port of this very server, so that the browser can speak HTTP by hand. */
export function tcp(ws: WebSocket): void {
  const socket = connect({ host: 'localhost', port: ws.request?.socket.localPort ?? 0 });
  // Whole characters in each text message.
  socket.setEncoding('utf8');
  ws.connect();
  // Both directions, with backpressure in both; the end of one side ends the other, and an error destroys both.
  pipeline(ws, socket, ws, (error) => {
    if (error) console.log(`The bridge has broken: ${error.message}`);
  });
}
