import mqtt from '/packages/mqtt/mqtt.esm.js';
import { webSocketAddress } from './common.js';
import { byId, describe, element } from './display.js';
import './shell.js';

const { state, subscribe, filter, publish, topic, message, retain, received } = byId(
  ...['state', 'subscribe', 'filter', 'publish', 'topic', 'message', 'retain', 'received'],
);
const kept = 100;
let subscribed = filter.value;

function show(phase, text) {
  state.className = `state ${phase}`;
  state.textContent = text;
}

function write(text) {
  received.append(element('p', {}, text));
  while (received.children.length > kept) received.firstChild.remove();
  received.scrollTop = received.scrollHeight;
}

// mqtt.js connects again by itself, and subscribes again.
const client = mqtt.connect(webSocketAddress('/mqtt'), { reconnectPeriod: 1000 });
client.on('connect', () => show('open', 'connected'));
client.on('close', () => show('lost', 'the connection was lost. Connecting again…'));
client.on('error', (error) => write(`Error: ${error.message}`));
client.on('message', (from, payload) => write(`${from}: ${describe(new TextDecoder().decode(payload))}`));
client.subscribe(subscribed);

subscribe.addEventListener('submit', (event) => {
  event.preventDefault();
  client.unsubscribe(subscribed);
  subscribed = filter.value;
  client.subscribe(subscribed, (error) => write(error ? `Error: ${error.message}` : `Subscribed to ${subscribed}`));
});
publish.addEventListener('submit', (event) => {
  event.preventDefault();
  client.publish(topic.value, message.value, { retain: retain.checked });
});
