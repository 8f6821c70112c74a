import { explainClose, greeting, webSocketAddress } from './common.js';
import { describe } from './display.js';
import './shell.js';

/** One card of the page: a connection to one demo, opened again by the next message if it was lost. */
class Demo {
  #address;
  #state;
  #echo;
  #took;
  #webSocket;
  #sentAt = 0;

  constructor(card) {
    this.#address = webSocketAddress(card.dataset.endpoint);
    this.#state = card.querySelector('.state');
    this.#echo = card.querySelector('output');
    this.#took = card.querySelector('.took');
  }

  say(text) {
    if (this.#webSocket?.readyState === WebSocket.OPEN) this.#send(text);
    else this.#connect(text);
  }

  #connect(text) {
    this.#show('connecting', 'connecting…');
    const webSocket = new WebSocket(this.#address);
    webSocket.binaryType = 'arraybuffer';
    this.#webSocket = webSocket;
    webSocket.addEventListener('open', () => {
      this.#show('open', 'open');
      this.#send(text);
    });
    webSocket.addEventListener('message', ({ data }) => {
      this.#echo.textContent = describe(data);
      this.#took.textContent = `${(performance.now() - this.#sentAt).toFixed(1)} ms`;
    });
    webSocket.addEventListener('close', ({ code, reason, wasClean }) => {
      this.#show(wasClean ? 'closed' : 'lost', `closed: ${explainClose(code, reason)}`);
    });
  }

  #send(text) {
    this.#sentAt = performance.now();
    this.#webSocket.send(text);
  }

  #show(phase, text) {
    this.#state.className = `state ${phase}`;
    this.#state.textContent = text;
  }
}

const demos = [...document.querySelectorAll('.demo')].map((card) => new Demo(card));
const message = document.getElementById('message');

document.getElementById('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  for (const demo of demos) demo.say(message.value);
  message.select();
});

for (const demo of demos) demo.say(greeting);
