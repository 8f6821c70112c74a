import { once } from 'node:events';
import { BroadcastStream, type WebSocket, WebSocketError } from '../lib/webSocketHandler';

const remembered = 50;

/** Who reads too slowly loses the oldest messages, and holds up nobody. */
const room = new BroadcastStream({ policy: 'drop-oldest', limit: 32 });
// Each member that sends faster than the room takes it waits for 'drain'.
room.setMaxListeners(0);

const names = new Map<WebSocket, string>();
const history: string[] = [];
let ticker: NodeJS.Timeout | undefined;

/** Tells everybody who is there, and how far each has read. */
function tellPresence(): void {
  const members = [...names].map(([ws, name]) => ({ name, ...room.stats(ws) }));
  room.write(JSON.stringify({ members }));
}

function join(ws: WebSocket, name: string): void {
  for (const said of history) ws.write(said);
  names.set(ws, name);
  room.add(ws);
  tellPresence();
  ticker ??= setInterval(tellPresence, 1000);
}

function leave(ws: WebSocket): void {
  names.delete(ws);
  tellPresence();
  if (names.size > 0) return;
  clearInterval(ticker);
  ticker = undefined;
}

/** A chat room, for the name in the query. */
export async function chat(ws: WebSocket, query: URLSearchParams): Promise<void> {
  const from = query.get('name')?.trim().slice(0, 30) || 'Somebody';
  ws.connect({ maxMessageSize: 64 * 1024 });
  join(ws, from);
  try {
    for await (const text of ws) {
      const said = JSON.stringify({ from, text: text.toString(), at: Date.now() });
      history.push(said);
      if (history.length > remembered) history.shift();
      if (!room.write(said)) await once(room, 'drain');
    }
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    console.log(`${from} was lost: ${error.message}`);
  } finally {
    leave(ws);
  }
}
