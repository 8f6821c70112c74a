import { parseArgs } from 'node:util';
import { type ClientOptions, type Version, WebSocketError } from '../lib/webSocketHandler';

const usage = `Usage: node-websocket-handler [options] <url>

Sends each line of the input as a message, and prints each message received.

  -b, --binary                  send binary messages
  -s, --subprotocol <name>      offer a subprotocol; can be repeated
  -H, --header <"Name: value">  add a header to the request, Origin for instance; can be repeated
  -d, --draft <version>         speak 13, which is the default, 8, 7, draft03, draft76 or draft75
  -h, --help                    print this
      --version                 print the version of the package

Ctrl-D ends your side, and prints what the server still sends. Ctrl-C closes the connection.
`;

export interface CommandLine {
  readonly url: string;
  /** Whether lines are sent as binary messages. */
  readonly binary: boolean;
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
    options: {
      binary: { type: 'boolean', short: 'b' },
      subprotocol: { type: 'string', short: 's', multiple: true },
      header: { type: 'string', short: 'H', multiple: true },
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
  const options: ClientOptions = { protocols: values.subprotocol ?? [] };
  // Versions name the header for the origin differently, so the library has an option for it.
  const { origin, ...headers } = parseHeaders(values.header ?? []);
  options.headers = headers;
  if (origin !== undefined) options.origin = origin.join(' ');
  if (values.draft !== undefined) options.version = values.draft as Version;
  return { url: withScheme(url), binary: values.binary ?? false, options };
}

/** Whether the error is one of the command line: unknown options, a bad URL, a version that does not exist. */
export function isUsageError(error: unknown): error is Error {
  const { code = '' } = error as NodeJS.ErrnoException;
  return /^(?:ERR_PARSE_ARGS_.*|WS_ERR_INVALID_ARGUMENT|WS_ERR_UNSUPPORTED)$/.test(code);
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
