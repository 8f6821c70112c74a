import type { OutgoingHttpHeaders } from 'node:http';
import type { Agreement, Capabilities, HttpRequest, Message, TransportName, Version } from '../contracts';
import { type ConnectionOptions, defaults } from '../options';
import { protocolVersion } from '../versions';
import { ClosableDuplex } from './closableDuplex';
import type { Delivered } from './incomingMessages';
import type { WebSocketSetup } from './webSocketSetup';

const noProtocols: readonly string[] = [];

/** A Duplex of messages that tells what the opening handshake was about, and what came out of it. */
export abstract class NegotiatedDuplex<M extends Delivered = Message> extends ClosableDuplex<M> {
  /** The opening request; undefined for a WebSocket that did not come from one. */
  readonly request: HttpRequest | undefined;
  /** The subprotocols that the client offered. */
  readonly protocols: readonly string[];
  #agreement: Partial<Agreement> & Omit<Agreement, 'transport'>;
  #responseHeaders: OutgoingHttpHeaders | undefined;
  #settings: ConnectionOptions;
  #capabilities: Capabilities;

  constructor({ role, opening, options = {}, version = defaults.version, protocols = noProtocols }: WebSocketSetup) {
    super({ tolerant: role === 'server', marks: options });
    this.#settings = options;
    this.request = opening?.request;
    const offered = opening?.protocols ?? protocols;
    this.protocols = offered.length === 0 ? noProtocols : offered;
    const { transport } = opening ?? {};
    this.#agreement = {
      version: opening?.version ?? version,
      protocol: '',
      extensions: '',
      ...(transport && { transport }),
    };
    this.#capabilities = protocolVersion(this.version).capabilities;
  }

  /** Headers for the answer to the opening request; set them before `connect()`. */
  get responseHeaders(): OutgoingHttpHeaders {
    this.#responseHeaders ??= {};
    return this.#responseHeaders;
  }

  /** Headers for the answer: those of the program, and more. */
  protected answerHeaders(more: OutgoingHttpHeaders | undefined): OutgoingHttpHeaders {
    return { ...this.#responseHeaders, ...more };
  }

  /** The chosen subprotocol; '' for none. */
  get protocol(): string {
    return this.#agreement.protocol;
  }

  /** What carries it: 'http1', 'http2', or 'pair'; undefined for a client until it is open. */
  get transport(): TransportName | undefined {
    return this.#agreement.transport;
  }

  /** The protocol version, as `Sec-WebSocket-Version` names it. */
  get version(): Version {
    return this.#agreement.version;
  }

  /** The extensions in use, with their parameters, as the server's answer has them; '' for none. */
  get extensions(): string {
    return this.#agreement.extensions;
  }

  /** What the version can do. */
  protected get capabilities(): Capabilities {
    return this.#capabilities;
  }

  /** What is set for this connection. */
  protected get settings(): ConnectionOptions {
    return this.#settings;
  }

  protected agreeOn(agreement: Agreement, settings: ConnectionOptions): void {
    this.#agreement = sharedAgreement(agreement);
    this.#settings = settings;
    this.setMarks(settings);
    this.#capabilities = protocolVersion(agreement.version).capabilities;
  }
}

/** Most connections have agreed on a version and no more: they have one object for that. */
function sharedAgreement(agreement: Agreement): Agreement {
  const { transport, version, protocol, extensions } = agreement;
  if (protocol !== '' || extensions !== '') return agreement;
  const key = `${transport} ${version}`;
  const known = plainAgreements.get(key);
  if (known === undefined) plainAgreements.set(key, agreement);
  return known ?? agreement;
}

const plainAgreements = new Map<string, Agreement>();
