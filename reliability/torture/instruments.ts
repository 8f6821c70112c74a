/** Makes the calls of the library that can fail known to `Faults`. Loaded before the library is used; it stays for the life of the process. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import timers from 'node:timers';
import * as byteChannel from '../../lib/connection/byteChannel';
import type { Transport } from '../../lib/contracts';
import * as zlibEngines from '../../lib/extensions/zlibEngines';
import { type Faults, InjectedError } from './faults';

/** The timers of Node, for the torture itself. */
export const realTimeout = timers.setTimeout;

/** A method that ends in a callback for its error. */
type WithCallback = (...parameters: never[]) => void;

/** The method of an object, in a form that fails through its callback when its time has come. */
function failThroughCallback(object: object, name: string, fails: () => boolean): void {
  const method = Reflect.get(object, name) as WithCallback | null | undefined;
  if (typeof method !== 'function') return;
  Reflect.set(object, name, function (this: unknown, ...parameters: never[]) {
    if (!fails()) return method.apply(this, parameters);
    const done = parameters.at(-1) as unknown as (error: Error) => void;
    setImmediate(done, new InjectedError(name));
  });
}

/** Reading fails as a reset does: the stream is destroyed. */
function failReading(stream: Duplex, fails: () => boolean): void {
  const read = stream._read;
  stream._read = function (size) {
    if (fails()) setImmediate(() => stream.destroy(new InjectedError('read')));
    else read.call(this, size);
  };
}

function byteStreams(faults: Faults): void {
  const { ByteChannel } = byteChannel;
  class TorturedChannel extends ByteChannel {
    constructor(...parameters: ConstructorParameters<typeof ByteChannel>) {
      const { stream } = parameters[0] as Transport;
      // What a socket writes is counted below, from its first byte on.
      if (!(stream instanceof Socket))
        for (const name of ['_write', '_writev']) failThroughCallback(stream, name, () => faults.fails('stream write'));
      failThroughCallback(stream, '_final', () => faults.fails('stream end'));
      failReading(stream, () => faults.fails('stream read'));
      super(...parameters);
    }
  }
  Reflect.set(byteChannel, 'ByteChannel', TorturedChannel);
}

/** All sockets, so that a handshake can fail as well. */
function sockets(faults: Faults): void {
  for (const name of ['_write', '_writev'])
    failThroughCallback(Socket.prototype, name, () => faults.fails('socket write'));
  const { connect } = Socket.prototype;
  Reflect.set(Socket.prototype, 'connect', function (this: Socket, ...parameters: never[]) {
    if (!faults.fails('socket connect')) return Reflect.apply(connect, this, parameters);
    setImmediate(() => this.destroy(new InjectedError('connect')));
    return this;
  });
}

/** A timer of the library cannot fail, but it can expire before what it waits for has happened, as after a clock that jumps. */
function deadlines(faults: Faults): void {
  const { setTimeout } = timers;
  const tortured = (run: (...rest: never[]) => void, delay = 1, ...rest: never[]) =>
    setTimeout(() => run(...rest), faults.fails('deadline') ? 0 : delay);
  Reflect.set(timers, 'setTimeout', tortured);
}

type Engine = 'SyncDeflater' | 'SyncInflater';

function compression(faults: Faults): void {
  const engines: readonly (readonly [name: Engine, method: string])[] = [
    ['SyncDeflater', 'deflate'],
    ['SyncInflater', 'inflateSome'],
  ];
  for (const [name, method] of engines) {
    const Original = Reflect.get(zlibEngines, name) as new (settings: never) => object;
    const work = Reflect.get(Original.prototype, method) as (input: Buffer) => unknown;
    Reflect.set(Original.prototype, method, function (this: unknown, input: Buffer) {
      if (faults.fails(`zlib ${method}`)) throw new InjectedError(method);
      return work.call(this, input);
    });
    class Tortured extends Original {
      constructor(settings: never) {
        if (faults.fails(`zlib new ${name}`)) throw new InjectedError(name);
        super(settings);
      }
    }
    Reflect.set(zlibEngines, name, Tortured);
  }
  for (const name of ['deflateOnThread', 'inflateOnThread'] as const) {
    const work = Reflect.get(zlibEngines, name) as (...parameters: never[]) => Promise<unknown>;
    Reflect.set(zlibEngines, name, (...parameters: never[]) =>
      faults.fails(`zlib ${name}`) ? Promise.reject(new InjectedError(name)) : work(...parameters),
    );
  }
}

export function instrument(faults: Faults): void {
  byteStreams(faults);
  sockets(faults);
  deadlines(faults);
  compression(faults);
}
