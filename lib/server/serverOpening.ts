import { checkHeaders } from '../codec/headers';
import type { CloseOutcome } from '../connection/closeHandshake';
import type {
  Acceptance,
  ExtensionElement,
  HttpRequest,
  Offer,
  Opening,
  ProtocolVersion,
  Transport,
  TransportName,
  Version,
} from '../contracts';
import type { Place } from '../limits/admission';
import type { UpgradeOptions } from '../options';
import type { Exchange } from '../transports/exchange';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { guardRequestSocket } from './requestSocket';

/** The owner of the WebSockets of a server. */
export interface OpeningOwner {
  /** Called when a request is accepted, before its connection delivers messages. */
  add(webSocket: WebSocket, exchange: Exchange, place: Place | undefined): void;
  /** Called when a request is refused. */
  countRefusal(): void;
  /** Called when an accepted connection has ended. */
  readonly closed: (webSocket: AnyWebSocket, outcome: CloseOutcome) => void;
}

/** The values that a ServerOpening is made from. */
export interface ServerOpeningSetup {
  readonly exchange: Exchange;
  readonly offer: Offer;
  readonly options: UpgradeOptions;
  /** Undefined for a single upgrade, which belongs to no server. */
  readonly owner: OpeningOwner | undefined;
  /** Undefined if the number of connections is not limited. */
  readonly place: Place | undefined;
}

/**
 * An opening request that a server offers to the application, together with its WebSocket. When the request is accepted
 * or refused, the owner of the server's WebSockets is told.
 */
export class ServerOpening implements Opening {
  readonly webSocket: WebSocket;
  readonly #exchange: Exchange;
  readonly #offer: Offer;
  readonly #owner: OpeningOwner | undefined;
  readonly #place: Place | undefined;
  #isAdded = false;

  constructor({ exchange, offer, options, owner, place }: ServerOpeningSetup) {
    this.#exchange = exchange;
    this.#offer = offer;
    this.#owner = owner;
    this.#place = place;
    this.webSocket = new WebSocket({
      role: 'server',
      options,
      opening: this,
      ...(owner !== undefined && { closed: owner.closed }),
    });
  }

  get transport(): TransportName {
    return this.#exchange.transport;
  }

  get request(): HttpRequest {
    return this.#exchange.request;
  }

  get wire(): ProtocolVersion {
    return this.#offer.wire;
  }

  get version(): Version {
    return this.#offer.version;
  }

  get protocols(): readonly string[] {
    return this.#offer.protocols;
  }

  get extensions(): readonly ExtensionElement[] {
    return this.#offer.extensions;
  }

  accept(acceptance: Acceptance, opened: (transport: Transport) => void): void {
    checkHeaders(acceptance.headers);
    // The connection is added before it delivers messages. If a listener throws, the owner still has the connection and
    // learns of its end.
    this.#exchange.accept(acceptance, (transport) => {
      this.#add();
      opened(transport);
    });
    // If the handshake is not complete, the connection has no transport yet.
    this.#add();
    guardRequestSocket(this.request, this.webSocket);
  }

  onUnaccepted(callback: (how: { readonly refused: boolean }) => void): void {
    this.#exchange.onUnaccepted((how) => {
      this.#place?.release();
      if (how.refused) this.#owner?.countRefusal();
      callback(how);
    });
  }

  abandon(): void {
    this.#exchange.abandon();
  }

  #add(): void {
    if (this.#isAdded) return;
    this.#isAdded = true;
    this.#owner?.add(this.webSocket, this.#exchange, this.#place);
  }
}
