/**
 * One conversation of the browser's own WebSocket, for realPeers.spec.ts: the same JSON in and out as echo_client.py.
 * It is a script for a page, not a module.
 */
globalThis.converse = ({ url, messages, close }) =>
  new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url);
    webSocket.binaryType = 'arraybuffer';
    const echoes = [];

    const sendNext = () => {
      const message = messages[echoes.length];
      if (message !== undefined) webSocket.send(decode(message));
      else if (close !== null) webSocket.close(close.code, close.reason);
    };

    webSocket.onopen = sendNext;
    webSocket.onmessage = ({ data }) => {
      echoes.push(encode(data));
      sendNext();
    };
    webSocket.onerror = () => reject(new Error(`The browser could not talk to ${url}`));
    webSocket.onclose = ({ code, reason }) => resolve({ echoes, closing: { code, reason } });

    function decode({ text, base64 }) {
      return text ?? Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    }

    function encode(data) {
      if (typeof data === 'string') return { text: data };
      let binary = '';
      for (const byte of new Uint8Array(data)) binary += String.fromCharCode(byte);
      return { base64: btoa(binary) };
    }
  });

/** Sends text and bytes of about this size, which are made here, and tells of each echo whether it is the same. */
globalThis.echoLarge = (url, size) =>
  new Promise((resolve, reject) => {
    const text = 'Grüße! '.repeat(size / 9);
    // As many as are made at once.
    const random = crypto.getRandomValues(new Uint8Array(65_536));
    const bytes = new Uint8Array(size).map((_, index) => random[index % 65_521]);
    const webSocket = new WebSocket(url);
    webSocket.binaryType = 'arraybuffer';
    const echoes = [];

    webSocket.onopen = () => {
      webSocket.send(text);
      webSocket.send(bytes);
    };
    webSocket.onmessage = ({ data }) => {
      if (echoes.push(data) === 2) webSocket.close(1000);
    };
    webSocket.onerror = () => reject(new Error(`The browser could not talk to ${url}`));
    webSocket.onclose = () => {
      const [echo, echoOfBytes] = [echoes[0], new Uint8Array(echoes[1])];
      resolve({
        text: echo === text,
        bytes: echoOfBytes.length === size && echoOfBytes.every((byte, index) => byte === bytes[index]),
      });
    };
  });
