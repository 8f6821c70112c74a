import { Aedes } from 'aedes';
import { byteStream, type WebSocket } from '../lib/webSocketHandler';

let broker: Promise<Aedes> | undefined;

/** An MQTT broker on a WebSocket. It speaks bytes, and `byteStream()` is a socket to it. */
export async function mqtt(ws: WebSocket): Promise<void> {
  const bytes = byteStream(ws.connect({ protocol: 'mqtt' }));
  broker ??= Aedes.createBroker();
  // The broker listens for errors of its clients.
  (await broker).handle(bytes);
}

/** Ends the broker, whose timers keep a process alive. */
export async function closeBroker(): Promise<void> {
  (await broker)?.close();
}
