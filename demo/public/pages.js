/** The pages with a demo each, in the order of the index. `proof` says what can be seen there. */
export const pages = [
  {
    title: 'Pipe',
    href: '/transforms.html',
    proof: 'Messages go through streams of Node and back: upper case, reverse, gzip, a filter. What each step costs.',
  },
  {
    title: 'Backpressure',
    href: '/backpressure.html',
    proof: 'Slow the reader: this library slows the source, and keeps 64 KiB. Beside it, ws without backpressure.',
  },
  {
    title: 'Files',
    href: '/files.html',
    proof:
      'A file of any size goes and comes back as one streamed message: progress, checksums, pause, cancel, flat memory.',
  },
  {
    title: 'Chat',
    href: '/chat.html',
    proof:
      'A room with names, presence and history, in two tabs. A slow reader catches up, loses nothing, and holds up nobody.',
  },
  {
    title: 'Log',
    href: '/tail.html',
    proof: 'The log of this server as it grows: a file, lines, a filter, a WebSocket, in one pipeline.',
  },
  {
    title: 'TCP',
    href: '/tcp.html',
    proof: 'A bridge to a TCP server is pipeline(ws, socket, ws). Speak HTTP by hand.',
  },
  {
    title: 'MQTT',
    href: '/mqtt.html',
    proof: 'A broker that takes sockets takes a WebSocket: byteStream(ws).',
  },
  {
    title: 'HTTP/2',
    href: '/http2.html',
    proof: 'Fifty WebSockets on one connection, beside HTTP/1.1, with their handshake times.',
  },
  {
    title: 'Status',
    href: '/status.html',
    proof: 'Live counters, close codes, memory, p99 of an echo, delay of the event loop.',
  },
];

export const documentation = [
  { title: 'API', href: '/docs/api.md' },
  { title: 'Recipes', href: '/docs/recipes.md' },
];
