import type { OutgoingHttpHeaders } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { HttpResponse, Offer, Opening, OpeningRequest } from '../contracts';
import type { WebSocketError } from '../errors';

/** A WebSocket request that a server has received, and its response. Each transport has a class of its own. */
export interface Exchange extends OpeningRequest {
  readonly response: HttpResponse;
  /** Over HTTP/2: the session of the request. */
  readonly session?: ServerHttp2Session | undefined;
  /**
   * Checks the rules of the transport.
   * @throws WebSocketError with the `statusCode` and `headers` of the answer
   */
  check(): void;
  /**
   * Returns the Opening with which a WebSocket accepts the request.
   * @throws WebSocketError with the `statusCode` and `headers` of the answer
   */
  opening(offer: Offer): Omit<Opening, 'onUnaccepted'>;
  /**
   * Calls `callback` when the request cannot be accepted any more: the application has refused it, or the client has
   * left.
   */
  onUnaccepted(callback: (how: { refused: boolean }) => void): void;
  /**
   * Sends a response of the library. If a header hook throws, no handler of the application is on the stack to catch
   * the exception, and it would end the process. So the exception is caught, and the request ends without a response.
   */
  answer(statusCode: number, body: string, headers?: OutgoingHttpHeaders): void;
  /** Answers with an error of the library. */
  refuse(error: WebSocketError): void;
}
