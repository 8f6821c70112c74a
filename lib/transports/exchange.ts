import type { ServerHttp2Session } from 'node:http2';
import type { HttpResponse, Opening } from '../contracts';
import type { WebSocketError } from '../errors';
import type { Offer, OpeningRequest } from '../server/negotiation';

/** An opening request of a server, which any response answers; each transport has its own. */
export interface Exchange extends OpeningRequest {
  readonly response: HttpResponse;
  /** Over HTTP/2: the session that the request shares with others. */
  readonly session?: ServerHttp2Session | undefined;
  /**
   * What the transport itself asks of the request.
   * @throws WebSocketError with the `statusCode` and `headers` of the answer
   */
  check(): void;
  /**
   * What the WebSocket accepts the request with.
   * @throws WebSocketError with the `statusCode` and `headers` of the answer
   */
  opening(offer: Offer): Omit<Opening, 'onUnaccepted'>;
  /** Calls back when the request is over without having been accepted: refused by the application, or the client has left. */
  onUnaccepted(callback: (how: { refused: boolean }) => void): void;
  /** Answers with an error of the library. */
  refuse(error: WebSocketError): void;
}
