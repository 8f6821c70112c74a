import type { Socket } from 'node:net';
import type { HttpRequest } from '../contracts';
import type { AnyWebSocket } from '../websocket/webSocket';

/**
 * Gives a request that has become a WebSocket a `socket` whose `destroy()` ends the WebSocket with 1011. An error
 * handler that finds the head of the response sent destroys `request.socket`, as that of Express and Connect does; the
 * peer must learn that the program has failed, as it does by an error page. Everything else of the socket is as it is.
 */
export function guardRequestSocket(request: HttpRequest, webSocket: AnyWebSocket): void {
  const value = new Proxy<Socket>(request.socket as Socket, new Guard(webSocket));
  Object.defineProperty(request, 'socket', { value, configurable: true, enumerable: true, writable: true });
}

class Guard implements ProxyHandler<Socket> {
  readonly #webSocket: AnyWebSocket;

  constructor(webSocket: AnyWebSocket) {
    this.#webSocket = webSocket;
  }

  get(socket: Socket, name: string | symbol, guarded: unknown): unknown {
    // A program that insists cuts the connection.
    if (name !== 'destroy' || this.#webSocket.destroyed) {
      const value: unknown = Reflect.get(socket, name);
      // Methods must act on the socket, whose listeners tell by it which connection an event is for.
      return typeof value === 'function' && name !== 'constructor' ? value.bind(socket) : value;
    }
    return () => {
      // Without the error: whoever calls this has it, and a WebSocket without a listener for 'error' would throw it.
      this.#webSocket.destroy();
      return guarded;
    };
  }

  set(socket: Socket, name: string | symbol, value: unknown): boolean {
    return Reflect.set(socket, name, value);
  }
}
