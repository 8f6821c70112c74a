/**
 * A client of the package `redis` (node-redis), made by `createClient()`, or of `ioredis`, made by `new Redis()`. The type has what both share,
 * because their own types depend on the modules, scripts and reply types that a program has chosen.
 */
export interface RedisClient {
  /** Makes another client with the same settings. */
  duplicate(overrides?: object): RedisClient;
  /** Connects the client. */
  connect(): Promise<unknown>;
}

/** What the driver uses of a client of node-redis. */
interface NodeRedisClient extends RedisClient {
  readonly options?: { readonly socket?: object };
  duplicate(overrides?: object): NodeRedisClient;
  sendCommand(parameters: readonly (string | Buffer)[], options?: object): Promise<unknown>;
  subscribe(channel: string, listener: (message: Buffer, channel: Buffer) => void, bufferMode: true): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  destroy(): void;
  on(event: 'error' | 'end', listener: (error: unknown) => void): unknown;
}

/** What the driver uses of a client of ioredis. */
interface IoRedisClient extends RedisClient {
  duplicate(overrides?: object): IoRedisClient;
  callBuffer(command: string, ...parameters: (string | Buffer)[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  disconnect(): void;
  readonly status: string;
  /** The socket, once there is one. */
  readonly stream?: { destroy(): unknown } | null;
  on(event: 'error' | 'end', listener: (error: unknown) => void): unknown;
  on(event: 'messageBuffer', listener: (channel: Buffer, message: Buffer) => void): unknown;
}

/** One connection to the server, which does not come back when it is lost. */
export interface RedisConnection {
  /** Resolves with the reply, its strings as Buffers. */
  send(...parameters: readonly (string | Buffer)[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  destroy(): void;
}

/** What a connection reports. */
export interface ConnectionEvents {
  message(channel: string, message: Buffer): void;
  /** It is lost; never called after `destroy()`. May be called more than once. */
  lost(error: unknown): void;
}

function isIoRedis(client: RedisClient): client is IoRedisClient {
  return 'callBuffer' in client;
}

/** Whether this is a client that the driver can use. */
export function isRedisClient(client: unknown): client is RedisClient {
  if (typeof client !== 'object' || client === null) return false;
  const { duplicate, callBuffer, sendCommand, connect } = client as Record<string, unknown>;
  return [duplicate, connect, callBuffer ?? sendCommand].every((method) => typeof method === 'function');
}

/**
 * Makes a connection with the settings of a client, beside it.
 * @returns the connection, and a promise that resolves when it can be used
 */
export function openConnection(client: RedisClient, events: ConnectionEvents): [RedisConnection, Promise<unknown>] {
  let destroyed = false;
  const lost = (error: unknown) => {
    if (!destroyed) events.lost(error);
  };
  const connection = isIoRedis(client)
    ? ofIoRedis(client, events, lost)
    : ofNodeRedis(client as NodeRedisClient, events, lost);
  const destroy = () => {
    if (destroyed) return;
    destroyed = true;
    connection.destroy();
  };
  return [{ ...connection, destroy }, connection.connect()];
}

type Opening = RedisConnection & { connect(): Promise<unknown> };

/** The type byte of strings in the protocol of Redis: replies have them as Buffers. */
const stringsAsBuffers = { typeMapping: { ['$'.charCodeAt(0)]: Buffer } };

function ofNodeRedis(client: NodeRedisClient, events: ConnectionEvents, lost: (error: unknown) => void): Opening {
  const { socket } = client.options ?? {};
  const own = client.duplicate({
    socket: { ...socket, reconnectStrategy: false },
    disableOfflineQueue: true,
    // An answer of the cache would not be that of the server.
    clientSideCache: undefined,
  });
  own.on('error', lost);
  own.on('end', () => lost(new Error('the server has closed the connection')));
  const take = (message: Buffer, channel: Buffer) => events.message(channel.toString(), message);
  return {
    connect: () => own.connect(),
    send: (...parameters) => own.sendCommand(parameters, stringsAsBuffers),
    subscribe: (channel) => own.subscribe(channel, take, true),
    unsubscribe: (channel) => own.unsubscribe(channel),
    destroy: () => own.destroy(),
  };
}

function ofIoRedis(client: IoRedisClient, events: ConnectionEvents, lost: (error: unknown) => void): Opening {
  const own = client.duplicate({
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    // Subscriptions and keys are named with the prefix of the driver only.
    keyPrefix: '',
    retryStrategy: () => null,
    reconnectOnError: null,
  });
  let error: unknown;
  own.on('error', (reason) => {
    error = reason;
    lost(reason);
  });
  own.on('end', () => lost(error ?? new Error('the server has closed the connection')));
  own.on('messageBuffer', (channel: Buffer, message: Buffer) => events.message(channel.toString(), message));
  return {
    connect: () => own.connect(),
    send: (command = '', ...parameters) => own.callBuffer(`${command}`, ...parameters),
    subscribe: (channel) => own.subscribe(channel),
    unsubscribe: (channel) => own.unsubscribe(channel),
    destroy: () => {
      // disconnect() ends the socket, and has a timer until it is closed: a server that does not answer, and a socket that is closed
      // already, would let it run for two seconds after the driver was closed.
      if (own.status === 'end') return;
      own.disconnect();
      own.stream?.destroy();
    },
  };
}
