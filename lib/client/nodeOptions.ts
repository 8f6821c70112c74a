import type { RequestOptions } from 'node:https';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { OpeningOptions } from '../options';

/**
 * Node's options that are set by the URL, by options of this library or by the protocol, and those for Node's own use.
 */
type Decided =
  | 'headers'
  | 'method'
  | 'host'
  | 'hostname'
  | 'port'
  | 'path'
  | 'protocol'
  | 'signal'
  | 'socket'
  | '_defaultAgent';

/**
 * Options of Node's `net.connect()`. They are declared here, because different versions of `@types/node` have them in
 * different types: a `Pick` of a missing key declares a required property of type unknown.
 */
interface SocketOptions {
  /** Whether to try the addresses of a host one after another (RFC 8305). */
  autoSelectFamily?: boolean | undefined;
  /** Milliseconds until the next address is tried. */
  autoSelectFamilyAttemptTimeout?: number | undefined;
  /** Whether the operating system probes an idle TCP connection. */
  keepAlive?: boolean | undefined;
  /** Milliseconds of silence until the first probe. */
  keepAliveInitialDelay?: number | undefined;
}

type Ours = keyof OpeningOptions | keyof SocketOptions;

/** The options that `connect()` passes to Node's `http.request()`, `tls.connect()` and `net.connect()`. */
export interface NodeOptions
  extends SocketOptions,
    Omit<RequestOptions, Decided | Ours>,
    Omit<TlsOptions, Decided | Ours | keyof RequestOptions> {}

/**
 * Node's options for reaching and verifying any server. They contain no secret and no identity of the program, so they
 * are also used after a redirect to another origin.
 */
export const safeNodeOptions = [
  // net.connect(): addresses and settings of the socket.
  'autoSelectFamily',
  'autoSelectFamilyAttemptTimeout',
  'blockList',
  'family',
  'hints',
  'keepAlive',
  'keepAliveInitialDelay',
  'localAddress',
  'lookup',
  'noDelay',
  'timeout',
  // http.request(): how the request is written and the answer is parsed.
  'httpValidation',
  'insecureHTTPParser',
  'joinDuplicateHeaders',
  'maxHeaderSize',
  'setDefaultHeaders',
  'setHost',
  'uniqueHeaders',
  // tls.connect(): trusted certificates and algorithms.
  'ALPNProtocols',
  'allowPartialTrustChain',
  'ca',
  'certificateCompression',
  'checkServerIdentity',
  'ciphers',
  'crl',
  'ecdhCurve',
  'enableTrace',
  'maxVersion',
  'minDHSize',
  'minVersion',
  'rejectUnauthorized',
  'requestOCSP',
  'secureOptions',
  'secureProtocol',
  'sigalgs',
] as const;

/**
 * All options that `connect()` passes to Node: those of `http.request()`, `https.request()`, `tls.connect()`,
 * `tls.createSecureContext()` and `net.connect()`, up to Node 26, without those that are set by the URL or by this
 * library. A name that is missing here is refused; a spec compares the list with the types of Node.
 */
export const nodeOptionNames = [
  ...safeNodeOptions,
  'ALPNCallback',
  'SNICallback',
  'agent',
  'auth',
  'cert',
  'clientCertEngine',
  'createConnection',
  'defaultPort',
  'dhparam',
  'honorCipherOrder',
  'key',
  'localPort',
  'passphrase',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'pskCallback',
  'requestCert',
  'secureContext',
  'servername',
  'session',
  'sessionIdContext',
  'sessionTimeout',
  'socketPath',
  'ticketKeys',
] as const;

const inUrl = 'it belongs into the URL';

/** Advice for options of Node that `connect()` does not accept. */
export const remedies: Readonly<Record<string, string>> = {
  reconnect: 'use reconnecting() for connections that are made again',
  host: inUrl,
  hostname: inUrl,
  port: inUrl,
  path: inUrl,
  method: 'an opening handshake is always a GET',
  protocol: 'the scheme belongs into the URL; did you mean protocols, for subprotocols?',
  socket: 'to use a connection of your own, return it from createConnection',
};
