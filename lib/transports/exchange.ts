import type { OutgoingHttpHeaders } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { HttpResponse, Offer, Opening, OpeningRequest } from '../contracts';
import type { WebSocketError } from '../errors';

/** A WebSocket request that a server has received, and its response. Each transport has a class of its own. */
export interface Exchange extends OpeningRequest, Pick<Opening, 'transport' | 'accept' | 'onUnaccepted' | 'abandon'> {
  readonly response: HttpResponse;
  /** Over HTTP/2: the session of the request. */
  readonly session?: ServerHttp2Session | undefined;
  /**
   * Checks the rules of the transport.
   * @throws WebSocketError with the `statusCode` and `headers` of the answer
   */
  check(): void;
  /**
   * Prepares the answer to an offer. Called once, before `accept()`.
   * @throws WebSocketError with the `statusCode` and `headers` of the answer
   */
  prepare(offer: Offer): void;
  /**
   * Sends a response of the library. If a header hook throws, no handler of the application is on the stack to catch
   * the exception, and it would end the process. So the exception is caught, and the request ends without a response.
   */
  answer(statusCode: number, body: string, headers?: OutgoingHttpHeaders): void;
  /** Answers with an error of the library. */
  refuse(error: WebSocketError): void;
}
