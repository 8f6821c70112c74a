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
