import type { RequestOptions } from 'node:https';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { OpeningOptions } from '../options';

/** Node's options that the URL, our own options or the protocol decide, and those for its own use. */
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
 * Options of Node's `net.connect()`. They are declared here because the types of `@types/node` that have them differ from
 * version to version: a `Pick` of keys that have moved makes of them required properties of type unknown.
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

/** What `connect()` hands on to Node's `http.request()`, `tls.connect()` and `net.connect()`. */
export interface NodeOptions
  extends SocketOptions,
    Omit<RequestOptions, Decided | Ours>,
    Omit<TlsOptions, Decided | Ours | keyof RequestOptions> {}

/**
 * Node's options that say how to reach and to trust a server, whoever it is. They have no secret and no identity of the
 * program, so a redirect to another origin takes them along.
 */
export const safeNodeOptions = [
  // net.connect(): which addresses, from which, and how the socket is kept.
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
  // tls.connect(): whom to trust, and which algorithms.
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
 * Every option that `connect()` hands on to Node: those of `http.request()`, `https.request()`, `tls.connect()`,
 * `tls.createSecureContext()` and `net.connect()`, up to Node 26, without those that belong to the URL or to us. A name that
 * is missing here is refused; a spec compares the list with the types of Node.
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

/** What to do in place of options of Node that `connect()` does not take. */
export const remedies: Readonly<Record<string, string>> = {
  host: inUrl,
  hostname: inUrl,
  port: inUrl,
  path: inUrl,
  method: 'an opening handshake is always a GET',
  protocol: 'the scheme belongs into the URL; did you mean protocols, for subprotocols?',
  socket: 'to use a connection of your own, return it from createConnection',
};
