import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type ClientOptions, type Version, WebSocketError } from '../../lib/webSocketHandler';

/** It fits a terminal of 24 lines and 80 columns. */
const usage = `Usage: node-websocket-handler [options] <url>

Sends each line of the input as a message, and prints each message received.

  -b, --binary                  send binary messages
  -r, --repeat <count>          send each line this many times
  -j, --json                    indent each received message that is JSON
      --no-close                stay connected after the end of the input
  -p, --ping <seconds>          send pings, and print the time to each pong
      --deflate, --no-deflate   compress all messages, or none
  -s, --subprotocol <name>      offer a subprotocol; can be repeated
  -H, --header <"Name: value">  add a header to the request; can be repeated
      --ca <file>               trust the certificates in this PEM file
  -k, --insecure                trust any certificate
  -d, --draft <version>         13 (default), 8, 7, draft03, draft76 or draft75
  -h, --help                    print this
      --version                 print the version of the package

Ctrl-D ends the input, and Ctrl-C the connection. Without --no-close the end of
the input closes it: the server may then leave out what it has not sent yet.
`;

/** The most seconds that a timer of Node can wait. */
const mostSeconds = Math.floor((2 ** 31 - 1) / 1000);

export interface CommandLine {
  readonly url: string;
  /** Whether lines are sent as binary messages. */
  readonly binary: boolean;
  /** How often each line is sent. */
  readonly repeat: number;
  /** Whether received messages that are JSON are indented. */
  readonly json: boolean;
  /** Whether the end of the input ends the writable side of the WebSocket. */
  readonly close: boolean;
  /** Milliseconds between the pings whose times are printed. */
  readonly ping?: number;
  /** Whether all messages are to be compressed, if the server agrees. */
  readonly deflate: boolean;
  readonly options: ClientOptions;
}

/**
 * Parses the command line. Returns a text instead if it is only to be printed.
 * @throws an error for which `isUsageError()` is true
 */
export function parseCommandLine(parameters: string[]): CommandLine | string {
  const { values, positionals } = parseArgs({
    args: parameters,
    allowPositionals: true,
    allowNegative: true,
    options: {
      binary: { type: 'boolean', short: 'b', default: false },
      repeat: { type: 'string', short: 'r', default: '1' },
      json: { type: 'boolean', short: 'j', default: false },
      close: { type: 'boolean', default: true },
      ping: { type: 'string', short: 'p' },
      deflate: { type: 'boolean' },
      subprotocol: { type: 'string', short: 's', multiple: true },
      header: { type: 'string', short: 'H', multiple: true },
      ca: { type: 'string', multiple: true },
      insecure: { type: 'boolean', short: 'k' },
      draft: { type: 'string', short: 'd' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
  });
  if (values.help) return usage;
  if (values.version) return `${packageVersion()}\n`;
  const [url, ...more] = positionals;
  if (url === undefined) throw invalid('there is no URL');
  if (more.length > 0) throw invalid(`there are ${positionals.length} URLs`);
  const { binary, json, close, deflate } = values;
  const options: ClientOptions = { protocols: values.subprotocol ?? [] };
  // Versions name the header for the origin differently, so the library has an option for it.
  const { origin, ...headers } = parseHeaders(values.header ?? []);
  options.headers = headers;
  if (origin !== undefined) options.origin = origin.join(' ');
  if (values.draft !== undefined) options.version = values.draft as Version;
  if (deflate !== undefined) options.perMessageDeflate = deflate && { threshold: 0 };
  if (values.ca !== undefined) options.ca = values.ca.map(readCertificates);
  if (values.insecure) options.rejectUnauthorized = false;
  const ping = values.ping === undefined ? {} : { ping: parsePing(values.ping) };
  const repeat = parseRepeat(values.repeat);
  return { url: withScheme(url), binary, repeat, json, close, deflate: deflate ?? false, options, ...ping };
}

/** Whether the error is one of the command line: unknown options, a bad URL, a version that does not exist. */
export function isUsageError(error: unknown): error is Error {
  const { code = '' } = error as NodeJS.ErrnoException;
  return /^(?:ERR_PARSE_ARGS_.*|WS_ERR_INVALID_ARGUMENT|WS_ERR_UNSUPPORTED)$/.test(code);
}

function parseRepeat(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw invalid(`--repeat takes a positive integer, not ${JSON.stringify(text)}`);
}

/** Returns milliseconds. */
function parsePing(text: string): number {
  const seconds = Number(text);
  const milliseconds = Math.round(seconds * 1000);
  if (/^\d*\.?\d+$/.test(text) && milliseconds > 0 && seconds <= mostSeconds) return milliseconds;
  throw invalid(`--ping takes seconds from 0.001 to ${mostSeconds}, not ${JSON.stringify(text)}`);
}

const pemCertificates = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/** Reads a file of PEM. Node would take one without a certificate in it, or with a broken one, and trust nothing. */
function readCertificates(file: string): string {
  try {
    const text = readFileSync(file, 'latin1');
    const certificates = text.match(pemCertificates) ?? [];
    if (certificates.length === 0) throw new Error('there is none in it');
    for (const each of certificates) new X509Certificate(each);
    return text;
  } catch (error) {
    throw invalid(`--ca takes a file with certificates as PEM, not ${file}: ${(error as Error).message}`);
  }
}

function parseHeaders(lines: readonly string[]): Record<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon === -1) throw invalid(`the header ${line} has no colon`);
    const name = line.slice(0, colon).trim().toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return Object.fromEntries(headers);
}

/** Adds `ws://` to a URL without a scheme. A URL parser would take `localhost:` of `localhost:4080` for a scheme. */
function withScheme(url: string): string {
  return /^(?:[a-z][a-z\d+.-]*:\/\/|ws\+unix:)/i.test(url) ? url : `ws://${url}`;
}

/** The package requires itself by its name, because its own path differs between `demo/` and `dist/demo/`. */
function packageVersion(): string {
  return (require('node-websocket-handler/package.json') as { version: string }).version;
}

function invalid(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
}
