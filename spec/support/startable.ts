import { EventEmitter } from 'node:events';
import type { Context } from 'mocha';
import type { Message } from '../../lib/webSocketHandler';
import type { createCertificate } from './certificate';
import type { Closing } from './peers';
import type { Files } from './program';

export type Certificate = ReturnType<typeof createCertificate>;

/** Bytes of the largest message that each of the servers takes. */
export const maxMessageSize = 8 * 1024 * 1024;

/**
 * A server that our client can talk to. It echoes all messages, and before that
 * - on `/close?code=4321&reason=bye` it sends a message, `last words`, and closes with that code and reason;
 * - on `/ping` it pings with the payload `Are you there?`, and sends that of the pong in a message, behind `pong: `.
 */
export interface RunningServer {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** What its certificate is to be verified with; undefined without TLS. */
  readonly ca: string | undefined;
  url(path: string): string;
  /** The close that the server will have read from a client, which must ask for this path after this call. */
  closing(path: string): Promise<Closing>;
  stop(): Promise<void>;
}

/** In what the servers differ. */
export interface Capabilities {
  /** Whether megabytes may be under way in both directions at once; true by default. */
  readonly bothWays?: boolean;
  /** Whether it agrees to permessage-deflate. */
  readonly compression: boolean;
  /** What it answers a client's Close with. */
  closeAnswer(closing: Closing): Closing;
}

/** A server that can be started. The context is that of the calling hook, which is skipped without the server's program. */
export interface Startable extends Pick<RunningServer, 'name' | 'capabilities'> {
  start(context: Context, certificate?: Certificate): Promise<RunningServer>;
}

/** What the server is told to be. */
export interface Setting {
  readonly context: Context;
  /** For TLS; without it the server speaks plain text. */
  readonly certificate: Certificate | undefined;
  /** To be called when a connection has ended, with the path of its request. */
  report(path: string, closing: Closing): void;
}

export interface Listening {
  readonly port: number;
  stop(): Promise<void>;
}

export const asRead = (closing: Closing) => closing;
export const withoutReason = ({ code }: Closing) => ({ code, reason: '' });

export function startable(
  name: string,
  listenWith: (setting: Setting) => Promise<Listening>,
  capabilities: Capabilities,
): Startable {
  return {
    name,
    capabilities,
    async start(context, certificate) {
      const reports = new EventEmitter();
      const report = (path: string, closing: Closing) => void reports.emit(path, closing);
      const { port, stop } = await listenWith({ context, certificate, report });
      return {
        name,
        capabilities,
        ca: certificate?.cert,
        url: (path) => `${certificate ? 'wss' : 'ws'}://localhost:${port}${path}`,
        closing: (path) => new Promise((resolve) => void reports.once(path, resolve)),
        stop,
      };
    },
  };
}

/** A connection, with what every library can do. */
export interface Connection {
  send(message: Message): void;
  close(code: number, reason: string): void;
  /** Calls back when the pong has come, with its payload. */
  ping(payload: string, ponged: (payload: string) => void): void;
}

/** Does what the path asks for. */
export function greet(path: string, connection: Connection): void {
  const { pathname, searchParams } = new URL(path, 'ws://localhost');
  if (pathname === '/close') {
    connection.send('last words');
    connection.close(Number(searchParams.get('code')), searchParams.get('reason') ?? '');
  }
  if (pathname === '/ping') connection.ping('Are you there?', (payload) => connection.send(`pong: ${payload}`));
}

export const certificateFile = 'certificate.pem';

/** The certificate and its key, as all of the programs read them from one file. */
export function certificateFiles(certificate: Certificate | undefined): Files {
  return certificate ? { [certificateFile]: `${certificate.cert}${certificate.key}` } : {};
}
