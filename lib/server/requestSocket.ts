import type { Socket } from 'node:net';
import type { HttpRequest } from '../contracts';
import type { AnyWebSocket } from '../websocket/webSocket';

/**
 * Replaces `request.socket` of an accepted request by a proxy whose `destroy()` ends the WebSocket with 1011. If the
 * response headers have been sent, error handlers such as those of Express and Connect destroy `request.socket`. The
 * peer must then get a Close frame that reports the failure, as it would get an error page. All other members are those
 * of the socket.
 */
export function guardRequestSocket(request: HttpRequest, webSocket: AnyWebSocket): void {
  const value = new Proxy<Socket>(request.socket as Socket, new Guard(webSocket));
  // Over HTTP/2, `socket` is an accessor of the prototype. To define the property would be slower in HTTP/1.1.
  if (Object.hasOwn(request, 'socket')) (request as { socket: Socket }).socket = value;
  else Object.defineProperty(request, 'socket', { value, configurable: true, enumerable: true, writable: true });
}

class Guard implements ProxyHandler<Socket> {
  readonly #webSocket: AnyWebSocket;

  constructor(webSocket: AnyWebSocket) {
    this.#webSocket = webSocket;
  }

  get(socket: Socket, name: string | symbol, guarded: unknown): unknown {
    // If the WebSocket has been destroyed already, destroy() acts on the socket.
    if (name !== 'destroy' || this.#webSocket.destroyed) {
      const value: unknown = Reflect.get(socket, name);
      // Methods are bound to the socket, because listeners use `this` to find the connection of an event.
      return typeof value === 'function' && name !== 'constructor' ? value.bind(socket) : value;
    }
    return () => {
      // The error is not passed on: the caller has it, and a WebSocket without an 'error' listener would throw it.
      this.#webSocket.destroy();
      return guarded;
    };
  }

  set(socket: Socket, name: string | symbol, value: unknown): boolean {
    return Reflect.set(socket, name, value);
  }
}
