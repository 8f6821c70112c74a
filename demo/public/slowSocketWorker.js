/**
 * The thread of a SlowSocket. It blocks after each message, as a program does that has much to do with each. So the browser takes no more
 * from the network, and TCP stops the server: a slow reader, as a server sees it.
 */
let socket;

function open(url, cells) {
  socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('open', () => postMessage({ type: 'open' }));
  socket.addEventListener('close', ({ code, reason }) => postMessage({ type: 'close', code, reason }));
  socket.addEventListener('message', ({ data }) => {
    const kibibytes = (data.byteLength ?? data.length) / 1024;
    Atomics.add(cells, 0, Math.round(kibibytes));
    // Of bytes only the number is of interest.
    if (typeof data === 'string') postMessage({ type: 'message', data });
    const pause = Atomics.load(cells, 1) + Atomics.load(cells, 2) * kibibytes;
    if (pause > 0) Atomics.wait(cells, 3, 0, pause);
  });
}

self.addEventListener('message', ({ data: { url, cells, message } }) => {
  if (url !== undefined) open(url, cells);
  else if (message !== undefined) socket.send(message);
  else socket.close(1000);
});
