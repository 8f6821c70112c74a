import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * Header fields that describe the body of an ordinary response, or a connection that stays with HTTP. Middleware may
 * have set them; in a 101 they are wrong.
 */
const forbiddenFields = new Set([
  'content-encoding',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
]);

const noHeaders: OutgoingHttpHeaders = {};

/** The status message and the header fields of the 101. */
export interface SwitchingProtocols {
  readonly statusMessage: string;
  /** The header fields, in the order in which they are sent. */
  readonly headers: Readonly<Record<string, string>>;
}

type Method = 'writeHead' | 'write' | 'end' | 'destroy' | 'setHeader' | 'removeHeader';
type AnyFunction = (...parameters: unknown[]) => unknown;

/** Node's own methods of responses. */
const node = ServerResponse.prototype as unknown as Readonly<Record<Method, AnyFunction>>;

/**
 * Sends the 101 through the response to an upgrade request. It replaces the methods of the response before middleware
 * wraps them. Hooks may change the 101 as they change any other response; after the last of them, the fields that the
 * handshake needs are set again. After the 101, writing to the response, ending it or destroying it has no effect on
 * the connection, which belongs to the WebSocket.
 */
export class Http1Acceptance {
  readonly #response: ServerResponse;
  /** Our `writeHead()`. */
  readonly #guard: AnyFunction;
  /** Undefined except during `send()`. */
  #answer: SwitchingProtocols | undefined;
  #sent = false;
  #ended = false;

  /** @param response a response that no middleware has changed yet */
  constructor(response: ServerResponse) {
    this.#response = response;
    const guards: Partial<Record<Method, AnyFunction>> = {
      writeHead: (...parameters) => this.#writeHead(parameters),
      write: (...parameters) => (this.#sent ? dropBody(parameters) : this.#call('write', ...parameters)),
      end: (...parameters) => (this.#sent ? this.#end(parameters) : this.#call('end', ...parameters)),
      destroy: (...parameters) => (this.#sent ? response : this.#call('destroy', ...parameters)),
    };
    Object.assign(response, guards);
    this.#guard = response.writeHead as AnyFunction;
  }

  /** Whether no middleware has wrapped `writeHead()` or set a header, so that nothing can change the 101. */
  get #isUntouched(): boolean {
    return this.#response.writeHead === this.#guard && rawHeaderNames(this.#response).length === 0;
  }

  /** Whether the 101 was sent, also if a hook that was called later has thrown. */
  get sent(): boolean {
    return this.#sent;
  }

  /**
   * Sends the 101 through `response.writeHead()`, so that cookies, header hooks and access logs see it. If a hook
   * throws before the 101 is written, the response can still be used for another answer.
   */
  send(answer: SwitchingProtocols): void {
    const response = this.#response;
    const { sendDate, statusCode } = response;
    const isUntouched = this.#isUntouched;
    const before = isUntouched ? noHeaders : response.getHeaders();
    this.#answer = answer;
    try {
      for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
      if (isUntouched) this.#writeNow(answer);
      else response.writeHead(101, answer.statusMessage);
      // A hook has not called the original writeHead().
      if (!this.#sent) this.#writeHead([]);
      response.flushHeaders();
      // Middleware that waits for the end of the response, to save a session for instance, may end it later.
      response.end();
    } catch (error) {
      if (!this.#sent) this.#restore(Object.keys(answer.headers), before, { sendDate, statusCode });
      throw error;
    } finally {
      this.#answer = undefined;
    }
  }

  #writeHead(parameters: unknown[]): unknown {
    const response = this.#response;
    const answer = this.#answer;
    if (answer === undefined) return this.#call('writeHead', ...parameters);
    // A hook has ended the response, which wrote the headers, and then calls the original writeHead().
    if (this.#sent) return response;
    this.#setFields(parameters.at(-1));
    this.#putRight(answer.headers);
    this.#writeNow(answer);
    return response;
  }

  #writeNow({ statusMessage }: SwitchingProtocols): void {
    this.#response.sendDate = false;
    // Deno would add it to a 101; it is added to no response from which it was removed.
    this.#call('removeHeader', 'Transfer-Encoding');
    this.#call('writeHead', 101, statusMessage);
    this.#sent = true;
  }

  /** Sets header fields that a hook has given to `writeHead()`: an object, or an array of names and values in turn. */
  #setFields(fields: unknown): void {
    if (typeof fields !== 'object' || fields === null) return;
    const entries = Array.isArray(fields) ? pairs(fields) : Object.entries(fields);
    const values = new Map<string, unknown[]>();
    for (const [name, value] of entries) values.set(name, [...(values.get(name) ?? []), value]);
    for (const [name, all] of values) if (name !== '') this.#call('setHeader', name, all.length === 1 ? all[0] : all);
  }

  /** Puts the header fields of the handshake first: clients of draft75 compare the first lines of the response. */
  #putRight(handshake: Readonly<Record<string, string>>): void {
    const ours = new Set(Object.keys(handshake).map((name) => name.toLowerCase()));
    const others: [string, OutgoingHttpHeader | undefined][] = [];
    for (const name of rawHeaderNames(this.#response)) {
      const lowered = name.toLowerCase();
      if (!ours.has(lowered) && !isForbidden(lowered)) others.push([name, this.#response.getHeader(name)]);
      this.#call('removeHeader', name);
    }
    for (const [name, value] of [...Object.entries(handshake), ...others]) this.#call('setHeader', name, value);
  }

  /** @param before the header fields with their names in lower case */
  #restore(
    names: readonly string[],
    before: OutgoingHttpHeaders,
    rest: Pick<ServerResponse, 'sendDate' | 'statusCode'>,
  ): void {
    for (const name of names) {
      const value = before[name.toLowerCase()];
      if (value === undefined) this.#call('removeHeader', name);
      else this.#call('setHeader', name, value);
    }
    // If the Connection header was removed, Node assumes that the program wants none and does not send its own.
    if (!this.#response.hasHeader('Connection')) this.#call('setHeader', 'Connection', 'close');
    Object.assign(this.#response, rest);
  }

  #end(parameters: unknown[]): unknown {
    const callback = callbackOf(parameters);
    if (this.#ended) {
      if (callback !== undefined) process.nextTick(callback);
      return this.#response;
    }
    this.#ended = true;
    return callback === undefined ? this.#call('end') : this.#call('end', callback);
  }

  #call(method: Method, ...parameters: unknown[]): unknown {
    return node[method].apply(this.#response, parameters);
  }
}

/** @param name in lower case */
function isForbidden(name: string): boolean {
  // A client would read each of these fields, and in draft75 `WebSocket-*`, as part of the handshake.
  return forbiddenFields.has(name) || name.startsWith('sec-websocket-') || name.startsWith('websocket-');
}

/** Discards a body. It returns true, so that a source that is piped to the response goes on and ends. */
function dropBody(parameters: unknown[]): boolean {
  const callback = callbackOf(parameters);
  if (callback !== undefined) process.nextTick(callback);
  return true;
}

function callbackOf(parameters: unknown[]): (() => void) | undefined {
  return parameters.find((parameter): parameter is () => void => typeof parameter === 'function');
}

function pairs(list: readonly unknown[]): [string, unknown][] {
  const found: [string, unknown][] = [];
  for (let i = 0; i + 1 < list.length; i += 2) found.push([String(list[i]), list[i + 1]]);
  return found;
}

/** Returns the names in the case in which they were set. The types declare this method for requests only. */
function rawHeaderNames(response: ServerResponse): string[] {
  return (response as unknown as { getRawHeaderNames(): string[] }).getRawHeaderNames();
}
