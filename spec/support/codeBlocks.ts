import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';

const root = join(__dirname, '..', '..');

export interface RunOptions {
  /** What the code uses and does not declare, by name. */
  readonly names?: Readonly<Record<string, unknown>>;
  /** Names that the code declares, whose values are returned. */
  readonly returns?: readonly string[];
  /** Code that runs before, such as an earlier block of the page. */
  readonly before?: string;
  /** Texts of the code that another text stands for: an address, a time. */
  readonly replace?: Readonly<Record<string, string>>;
}

/** The values of names that the code has declared. */
// biome-ignore lint/suspicious/noExplicitAny: the code of a page has no types here
export type Declared = Record<string, any>;

const AsyncFunction = (async () => {}).constructor as new (
  ...parameters: string[]
) => (...values: unknown[]) => Promise<Declared>;

/** The entries of the package, as its code imports them. */
const entries: Readonly<Record<string, string>> = {
  'node-websocket-handler': 'lib/webSocketHandler',
  'node-websocket-handler/ws': 'lib/adapters/ws',
  'node-websocket-handler/topics': 'lib/topics',
  'node-websocket-handler/topics/contract': 'lib/topics/contract',
  'node-websocket-handler/topics/nats': 'lib/topics/nats',
  'node-websocket-handler/topics/redis': 'lib/topics/redis',
  'node-websocket-handler/fastify': 'lib/integrations/fastify',
  'node-websocket-handler/koa': 'lib/integrations/koa',
  'node-websocket-handler/hono': 'lib/integrations/hono',
  'node-websocket-handler/nest': 'lib/integrations/nest',
};

/** A block of code of a page of the documentation. */
export class CodeBlock {
  readonly page: string;
  /** The heading above the block, without its `#`. */
  readonly heading: string;
  readonly language: string;
  readonly code: string;
  /** The servers that the code has made, in this order. */
  readonly servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  constructor(page: string, heading: string, language: string, code: string) {
    this.page = page;
    this.heading = heading;
    this.language = language;
    this.code = code;
  }

  /**
   * Runs the code as it stands on the page, with two differences: its servers listen on free ports, and
   * `node-websocket-handler` is this library.
   */
  run({ names = {}, returns = [], before = '', replace = {} }: RunOptions = {}): Promise<Declared> {
    let { code } = this;
    for (const [text, other] of Object.entries(replace)) {
      if (!code.includes(text)) throw new Error(`The block below ${this.heading} does not contain ${text}`);
      code = code.replaceAll(text, other);
    }
    const { outputText } = transpileModule(`${before}\n${code}\nreturn { ${returns.join(', ')} };`, {
      compilerOptions: {
        module: ModuleKind.CommonJS,
        target: ScriptTarget.ES2022,
        esModuleInterop: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
      },
      reportDiagnostics: false,
    });
    // The body is a function of its own, so that the code can declare a name that is also given.
    const body = `return (async () => { ${outputText} })();`;
    const program = new AsyncFunction('require', 'exports', ...Object.keys(names), body);
    return program(this.#require, {}, ...Object.values(names));
  }

  /** The lines of the block, each a block of its own. */
  lines(): CodeBlock[] {
    const lines = this.code.split('\n').filter((line) => line.trim() !== '');
    return lines.map((line) => new CodeBlock(this.page, this.heading, this.language, line));
  }

  /** The port of the last server that the code has made, as soon as it listens. */
  async port(): Promise<number> {
    const server = this.servers.at(-1);
    if (server === undefined) throw new Error(`The block below ${this.heading} has made no server`);
    if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
    return (server.address() as AddressInfo).port;
  }

  /** Ends the servers of the code, and their connections. */
  async stop(): Promise<void> {
    const closed = this.servers
      .filter((server) => server.listening)
      .map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  readonly #require = (name: string): unknown => {
    const entry = entries[name];
    if (entry !== undefined) return require(join(root, entry));
    const module = packages(name);
    if (!/^(?:node:)?https?2?$/.test(name)) return module;
    const { createServer, createSecureServer, ...rest } = module as Declared;
    const onFreePort =
      (create: (...parameters: unknown[]) => Server) =>
      (...parameters: unknown[]) =>
        this.#adopt(create(...parameters));
    return {
      ...rest,
      createServer: onFreePort(createServer),
      ...(createSecureServer && { createSecureServer: onFreePort(createSecureServer) }),
    };
  };

  #adopt(server: Server): Server {
    this.servers.push(server);
    const track = (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    };
    server.on('connection', track);
    const { listen } = server;
    server.listen = ((_port: unknown, ...others: unknown[]) =>
      listen.call(server, 0, ...(others as []))) as Server['listen'];
    return server;
  }
}

const requireHere = createRequire(__filename);
const inFrameworks = createRequire(join(root, 'demo', 'frameworks', 'package.json'));
const inAdapted = createRequire(join(root, 'scripts', 'adapted', 'package.json'));

/** Loads a package of this library, of the examples with frameworks, or of the programs on the adapters. */
function packages(name: string): unknown {
  for (const load of [requireHere, inFrameworks, inAdapted]) {
    try {
      return load(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new Error(`No package ${name} is installed`);
}

/** The text of a page, whose path begins at the root of the repository. */
export function readPage(page: string): string {
  const path = join(root, page);
  if (!existsSync(path)) throw new Error(`There is no page ${page}`);
  return readFileSync(path, 'utf8');
}

/** The blocks of code of a page, in their order. Those without a language, such as drawings, are not code. */
export function codeBlocks(page: string, markdown = readPage(page)): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let heading = '';
  for (const match of markdown.matchAll(/^#+ ([^\n]+)$|^( *)```(\w*)[^\n]*\n(.*?)^\2```/gms)) {
    const [, title, indent = '', language = '', code = ''] = match;
    if (title !== undefined) heading = title;
    else if (language !== '') blocks.push(new CodeBlock(page, heading, language, unindent(code, indent)));
  }
  return blocks;
}

const unindent = (code: string, indent: string) => code.replaceAll(new RegExp(`^${indent}`, 'gm'), '');

/** The blocks of a page, without the commands for a shell (`sh`) and without the code of other libraries (`text`). */
export function programs(page: string): CodeBlock[] {
  return codeBlocks(page).filter(({ language }) => language !== 'sh' && language !== 'text');
}

/** One of the blocks below a heading of a page, without the commands for a shell. */
export function codeBlock(page: string, heading: string, index = 0): CodeBlock {
  const block = programs(page).filter((each) => each.heading === heading)[index];
  if (block === undefined) throw new Error(`${page} has no block ${index} below ${heading}`);
  return block;
}
