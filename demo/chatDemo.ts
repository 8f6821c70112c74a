import { type PresentMember, type TopicMessage, Topics } from '../lib/topics';
import { type WebSocket, WebSocketError } from '../lib/webSocketHandler';

/** In this process. With a broker, the same room would be in many. */
const topics = new Topics({ history: { messages: 2000, bytes: 64 * 1024 * 1024, maxAge: 3_600_000 } });
const room = topics.topic('room');
/** Who is there, and how far each has read. Old states are of no use, so a slow reader gets the latest. */
const state = topics.topic('state');

/** The most messages that a page shows at first. */
const shown = 50;
/** The cursors of these, and of the one before, behind which a page begins. */
const last: string[] = [];

const sockets = new Map<number, WebSocket>();
let people: readonly PresentMember[] = [];
let made = 0;

/** Each message with its cursor, so that a page can go on after it when its connection was lost. */
const withCursor = ({ id, data }: TopicMessage) => JSON.stringify({ id, ...JSON.parse(data.toString()) });

function tellState(): void {
  const members = people.map(({ info }) => {
    const { name, number } = info as { name: string; number: number };
    const ws = sockets.get(number);
    return { name, ...(ws && room.stats(ws)) };
  });
  state.write(JSON.stringify({ members }));
}

async function followPresence(): Promise<void> {
  const present = new Map<string, PresentMember>();
  let ticker: NodeJS.Timeout | undefined;
  for await (const { joined, left } of topics.presence('room').changes()) {
    for (const { id } of left) present.delete(id);
    for (const member of joined) present.set(member.id, member);
    people = [...present.values()];
    tellState();
    if (people.length > 0) ticker ??= setInterval(tellState, 1000);
    else {
      clearInterval(ticker);
      ticker = undefined;
    }
  }
}

async function followMessages(): Promise<void> {
  for await (const { id } of room.since()) {
    last.push(id);
    if (last.length > shown + 1) last.shift();
  }
}

/** Both go on until the topics are closed. */
for (const following of [followPresence(), followMessages()])
  following.catch((error) => {
    if (error.code !== 'WS_ERR_NOT_OPEN') throw error;
  });

/** Ends the topics. */
export const closeChat = () => topics.close();

/** A chat room, for the name in the query; and for the cursor of the last message that the page has. */
export async function chat(ws: WebSocket, query: URLSearchParams): Promise<void> {
  const from = query.get('name')?.trim().slice(0, 30) || 'Somebody';
  const number = ++made;
  ws.connect({ maxMessageSize: 64 * 1024 });
  sockets.set(number, ws);
  room.add(ws, {
    after: query.get('after') ?? (last.length > shown ? last[0] : 'start'),
    policy: 'catch-up',
    format: withCursor,
    onResume: ({ lost }) => lost && ws.write(JSON.stringify({ lost })),
    presence: { name: from, number },
  });
  state.add(ws, { policy: 'keep-latest' });
  try {
    for await (const text of ws) await room.publish(JSON.stringify({ from, text: text.toString(), at: Date.now() }));
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    console.log(`${from} was lost: ${error.message}`);
  } finally {
    sockets.delete(number);
  }
}
