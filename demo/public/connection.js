import { explainClose, webSocketAddress } from './common.js';

const firstDelay = 250;
const longestDelay = 4000;

/** A WebSocket that is opened again when it was lost. An element of the page shows its state. */
export class Connection extends EventTarget {
  #path;
  #state;
  #socket;
  #timer;
  #failures = 0;
  #create;

  /**
   * @param path where to connect to, or a function that returns it, which is called for each connection
   * @param state the element that shows the state, if there is one
   * @param create returns a WebSocket to a URL
   * Events: `open`; `message`, with `data`, a string or an ArrayBuffer; `close`.
   */
  constructor(path, state, create = (url) => new WebSocket(url)) {
    super();
    this.#create = create;
    this.#path = path;
    this.#state = state;
    this.reconnect();
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Sends a message, and returns false if there is no connection to send it on. */
  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(message);
    return true;
  }

  /** Opens a new connection, in the place of the one there is. */
  reconnect() {
    this.close();
    this.#show('connecting', 'connecting…');
    const path = typeof this.#path === 'string' ? this.#path : this.#path();
    const socket = this.#create(webSocketAddress(path));
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (socket !== this.#socket) return;
      this.#failures = 0;
      this.#show('open', 'connected');
      this.dispatchEvent(new Event('open'));
    });
    socket.addEventListener('message', ({ data }) => {
      if (socket === this.#socket) this.dispatchEvent(new MessageEvent('message', { data }));
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (socket !== this.#socket) return;
      // Each page waits for a time of its own, so that they do not all come back at once.
      const delay = Math.min(longestDelay, firstDelay * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
      this.#show('lost', `${explainClose(code, reason)}. Connecting again…`);
      this.#timer = setTimeout(() => this.reconnect(), delay);
      this.dispatchEvent(new Event('close'));
    });
  }

  /** Closes the connection and opens no other one. */
  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
    this.#show('closed', 'closed');
  }

  #show(phase, text) {
    if (!this.#state) return;
    this.#state.className = `state ${phase}`;
    // Screen readers say each change of a status, so an attempt that follows a failure is not one.
    if (phase !== 'connecting' || this.#failures === 0) this.#state.textContent = text;
  }
}
