import { AsyncResource } from 'node:async_hooks';
import type { OutgoingHttpHeaders } from 'node:http';
import type {
  Agreement,
  Dial,
  DialResult,
  HttpRequest,
  Opening,
  Role,
  Transport,
  TransportName,
  Version,
} from '../contracts';
import { WebSocketError } from '../errors';
import { answerExtensions } from '../extensions';
import {
  type ConnectionOptions,
  type ConnectionSettings,
  type ConnectOptions,
  defaults,
  type Streamed,
  settingsFor,
} from '../options';
import { protocolVersion } from '../versions';

/** The values that a handshake starts with. */
export interface HandshakeSetup {
  readonly role: Role;
  /** For a server: the request, which waits for `connect()`. */
  readonly opening?: Opening;
  readonly options?: ConnectionOptions;
  /** For a client: the version, and the subprotocols that are offered. */
  readonly version?: Version;
  readonly protocols?: readonly string[];
}

const noProtocols: readonly string[] = [];
const noOptions: ConnectionOptions = {};

/** The state of an opening handshake: the request, what was agreed on, and the settings that follow. */
export class Handshake {
  readonly protocols: readonly string[];
  settings: ConnectionSettings;
  /** Whether `connect()` was called. */
  #isAccepted = false;
  /**
   * Undefined once the connection is open or cannot be opened. For a server: the request. For a client: the function
   * that gives the handshake up.
   */
  #pending: Opening | Pick<Opening, 'abandon'> | undefined;
  #request: HttpRequest | undefined;
  #agreement: Pick<Agreement, 'version' | 'protocol' | 'extensions'> & { readonly transport?: TransportName };
  #responseHeaders: OutgoingHttpHeaders | undefined;

  constructor({ role, opening, options = noOptions, version = defaults.version, protocols }: HandshakeSetup) {
    this.#request = opening?.request;
    const offered = opening?.protocols ?? protocols ?? noProtocols;
    this.protocols = offered.length === 0 ? noProtocols : offered;
    this.#pending = opening;
    this.#agreement = {
      version: opening?.version ?? version,
      protocol: '',
      extensions: '',
      ...(opening && { transport: opening.transport }),
    };
    this.settings = settingsFor(options, role, this.#agreement, protocolVersion(this.version).capabilities);
  }

  /** Undefined for a WebSocket that did not come from a request, and after 'open' with the option `keepRequest: false`. */
  get request(): HttpRequest | undefined {
    return this.#request;
  }

  get role(): Role {
    return this.settings.role;
  }

  get version(): Version {
    return this.#agreement.version;
  }

  get protocol(): string {
    return this.#agreement.protocol;
  }

  get extensions(): string {
    return this.#agreement.extensions;
  }

  get transport(): TransportName | undefined {
    return this.#agreement.transport;
  }

  get responseHeaders(): OutgoingHttpHeaders {
    this.#responseHeaders ??= {};
    return this.#responseHeaders;
  }

  /**
   * Accepts the opening request of a server's WebSocket.
   * @param starting called before the response is made
   * @param opened called with the transport, at once or when the handshake is complete
   * @throws WebSocketError WS_ERR_ALREADY_CONNECTED, WS_ERR_NOT_OPEN, and what `Opening.accept()` throws
   */
  accept(
    options: ConnectOptions | Streamed<ConnectOptions> | undefined,
    starting: () => void,
    opened: (transport: Transport, agreement: Agreement, options: ConnectionOptions) => void,
  ): void {
    const opening = this.#pending;
    if (this.#isAccepted || this.role === 'client') throw new WebSocketError('WS_ERR_ALREADY_CONNECTED');
    if (opening === undefined || !('accept' in opening))
      throw new WebSocketError('WS_ERR_NOT_OPEN', 'the request was refused, or the WebSocket destroyed');
    const protocol = this.#chooseProtocol(options?.protocol, opening.wire.capabilities.declineProtocol);
    this.#isAccepted = true;
    try {
      starting();
      this.#send(opening, protocol, options, opened);
    } catch (error) {
      // Nothing was accepted: the program may try again, or answer otherwise.
      this.#isAccepted = false;
      throw error;
    }
  }

  #send(
    opening: Opening,
    protocol: string,
    options: ConnectOptions | Streamed<ConnectOptions> | undefined,
    opened: (transport: Transport, agreement: Agreement, options: ConnectionOptions) => void,
  ): void {
    // To save memory, connections without options of their own share the options of the server.
    const connectionOptions = options === undefined ? this.settings.options : { ...this.settings.options, ...options };
    const extensions = answerExtensions(opening.extensions, connectionOptions);
    const headers = { ...this.#responseHeaders, ...options?.headers };
    const agreement = { transport: opening.transport, version: opening.version, protocol, extensions };
    opening.accept({ protocol, extensions, headers }, (transport) => opened(transport, agreement, connectionOptions));
    // If the connection is open already, the agreement is known.
    if (this.#pending !== undefined) this.agreeOn(agreement, connectionOptions);
  }

  /** Starts the handshake of a client's WebSocket. The dial may also open a transport at once. */
  dial(dial: Dial, { opened, failed }: DialResult): void {
    // Not AsyncResource.bind(), which is slow: it marks a property of each function as deprecated.
    const context = new AsyncResource('WebSocket');
    let isOpen = false;
    const abandon = dial({
      opened(transport, agreement) {
        isOpen = true;
        context.runInAsyncScope(opened, undefined, transport, agreement);
      },
      failed: (error) => context.runInAsyncScope(failed, undefined, error),
    });
    if (!isOpen) this.#pending = { abandon };
  }

  agreeOn(agreement: Agreement, options: ConnectionOptions = this.settings.options): void {
    this.#agreement = sharedAgreement(agreement);
    this.settings = settingsFor(options, this.role, agreement, protocolVersion(agreement.version).capabilities);
  }

  /**
   * Returns the subprotocol to agree on, '' for none. A server must not choose one that was not offered
   * (RFC 6455 §4.2.2).
   */
  #chooseProtocol(wanted: string | undefined, mayDecline: boolean): string {
    const choice = wanted ?? (mayDecline ? '' : this.protocols[0]);
    return choice !== undefined && this.protocols.includes(choice) ? choice : '';
  }

  /** Gives the handshake up if the connection is not open yet. */
  abandon(): void {
    this.#pending?.abandon();
  }

  /** Frees the memory of the handshake when the connection is open or cannot be opened. */
  forget(): void {
    this.#pending = undefined;
  }

  /** Called after 'open'. */
  opened(): void {
    if (!this.settings.keepRequest) this.#request = undefined;
  }
}

const plainAgreements = new Map<string, Agreement>();

/**
 * Returns one shared object for all connections that have agreed on the same transport and version, and on no
 * subprotocol or extension.
 */
function sharedAgreement(agreement: Agreement): Agreement {
  const { transport, version, protocol, extensions } = agreement;
  if (protocol !== '' || extensions !== '') return agreement;
  const key = `${transport} ${version}`;
  const shared = plainAgreements.get(key) ?? agreement;
  plainAgreements.set(key, shared);
  return shared;
}
