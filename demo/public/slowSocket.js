/** What a page and the threads of its SlowSockets share: how slowly they read. */
export class Pace {
  /** KiB received, milliseconds for each message, milliseconds for each KiB, and a cell that nobody wakes. */
  cells = new Int32Array(new SharedArrayBuffer(16));

  /** The KiB that were received. */
  get received() {
    return Atomics.load(this.cells, 0);
  }

  /** How long the thread blocks after each message, in milliseconds. */
  set perMessage(milliseconds) {
    Atomics.store(this.cells, 1, milliseconds);
  }

  /** How long the thread blocks for each KiB, in milliseconds. */
  set perKibibyte(milliseconds) {
    Atomics.store(this.cells, 2, milliseconds);
  }
}

/** What a Connection needs of a WebSocket, with one that reads in a thread of its own, as slowly as a Pace says. Bytes are only counted. */
export class SlowSocket extends EventTarget {
  #worker = new Worker('/slowSocketWorker.js');
  readyState = WebSocket.CONNECTING;

  constructor(url, { cells }) {
    super();
    this.#worker.postMessage({ url, cells });
    this.#worker.addEventListener('message', ({ data: { type, ...details } }) => {
      if (type === 'open') this.readyState = WebSocket.OPEN;
      if (type === 'close') {
        this.readyState = WebSocket.CLOSED;
        this.#worker.terminate();
      }
      this.dispatchEvent(Object.assign(new Event(type), details));
    });
  }

  send(message) {
    this.#worker.postMessage({ message });
  }

  /** Does not wait for what has been sent already: the thread may be blocked. */
  close() {
    this.readyState = WebSocket.CLOSED;
    this.#worker.terminate();
  }
}
