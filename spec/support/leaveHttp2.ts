import { connect } from '../../lib/webSocketHandler';

/** A program with one WebSocket over HTTP/2, which has to exit by itself when that is over: `http2ClientStages.spec.ts` runs it. */
const [url = '', what = ''] = process.argv.slice(2);

// A server that says nothing holds the program for no longer than this; one that answers has the time that it needs.
const limits = what === 'abort' ? { handshakeTimeout: 300, closeTimeout: 300 } : {};
const ws = connect(url, { http2: true, ...limits });
ws.on('error', ({ message }) => console.log(message));
ws.on('close', () => console.log('closed'));
ws.on('open', () => {
  if (what === 'end') ws.end();
  if (what === 'abort') ws.abort();
});
ws.resume();
