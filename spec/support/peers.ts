import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Context } from 'mocha';
import { type Browser, type BrowserContext, type Page, chromium as playwright } from 'playwright-core';
import { Agent, WebSocket as UndiciClient } from 'undici';
import { WebSocket as WsClient } from 'ws';
import type { Message } from '../../lib/webSocketHandler';
import { chromium, need, python } from './tools';

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** What a peer is to do: send the messages one by one, each after the echo of the one before, and then close. */
export interface Conversation {
  readonly url: string;
  readonly messages?: readonly Message[];
  /** What the peer closes with; without it, it waits for the server to close. */
  readonly close?: Closing;
}

export interface Outcome {
  readonly echoes: readonly Message[];
  /** The close as the peer has read it. */
  readonly closing: Closing;
}

/** A WebSocket client that others have written. */
export interface Peer {
  converse(conversation: Conversation): Promise<Outcome>;
  dispose(): Promise<void>;
}

/** How each peer is opened, by its name. The context is that of the calling hook, which is skipped without the tool. */
export const peers: Readonly<Record<string, (context: Context) => Promise<Peer>>> = {
  'the ws package': async () => ({ converse: converseWithWs, dispose: async () => {} }),
  'the WebSocket of undici': async () => openUndici(),
  'the websockets package of Python': async (context) => openPython(need(python, context)),
  Chromium: async (context) => openChromium(await launchChromium(context)),
};

const switches = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchChromium(context: Context): Promise<Browser> {
  return startChromium(need(chromium, context));
}

export function startChromium(executablePath: string): Promise<Browser> {
  return playwright.launch({ executablePath, args: switches });
}

/**
 * Chromium as its user sees it, with a profile in this folder. Other contexts are private windows, in which it sends no cookies to another
 * site.
 */
export function launchProfile(context: Context, folder: string): Promise<BrowserContext> {
  const executablePath = need(chromium, context);
  const preferences = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } };
  mkdirSync(join(folder, 'Default'));
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences));
  return playwright.launchPersistentContext(folder, { executablePath, args: switches, ignoreHTTPSErrors: true });
}

function converseWithWs({ url, messages = [], close }: Conversation): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const socket = new WsClient(url);
    const echoes: Message[] = [];
    const sendNext = () => {
      const message = messages[echoes.length];
      if (message !== undefined) socket.send(message);
      else if (close) socket.close(close.code, close.reason);
    };
    socket.on('open', sendNext);
    socket.on('message', (data: Buffer, isBinary) => {
      echoes.push(isBinary ? data : data.toString());
      sendNext();
    });
    socket.on('error', reject);
    socket.on('close', (code, reason) => resolve({ echoes, closing: { code, reason: reason.toString() } }));
  });
}

function openUndici(): Peer {
  const dispatcher = new Agent();
  return {
    converse: ({ url, messages = [], close }) =>
      new Promise((resolve, reject) => {
        const socket = new UndiciClient(url, { dispatcher });
        socket.binaryType = 'arraybuffer';
        const echoes: Message[] = [];
        const sendNext = () => {
          const message = messages[echoes.length];
          if (message !== undefined) socket.send(typeof message === 'string' ? message : Uint8Array.from(message));
          else if (close) socket.close(close.code, close.reason);
        };
        socket.onopen = sendNext;
        socket.onmessage = ({ data }) => {
          echoes.push(typeof data === 'string' ? data : Buffer.from(data));
          sendNext();
        };
        socket.onerror = ({ error }) => reject(error);
        socket.onclose = ({ code, reason }) => resolve({ echoes, closing: { code, reason } });
      }),
    dispose: () => dispatcher.close(),
  };
}

function openPython(path: string): Peer {
  const script = join(__dirname, 'echo_client.py');
  return {
    async converse(conversation) {
      const running = promisify(execFile)(path, [script], { maxBuffer: 16 * 1024 * 1024 });
      // A script that ends early does not take its input; what it says on ending tells more.
      running.child.stdin?.on('error', () => {}).end(writeConversation(conversation));
      const { stdout } = await running;
      return readOutcome(JSON.parse(stdout));
    },
    dispose: async () => {},
  };
}

async function openChromium(browser: Browser): Promise<Peer> {
  const converse = await conversationsOf(await browser.newPage());
  return { converse, dispose: () => browser.close() };
}

/** What a page does that has been loaded already. */
export async function conversationsOf(page: Page): Promise<Peer['converse']> {
  await page.evaluate(readFileSync(join(__dirname, 'echoInPage.js'), 'utf8'));
  return async (conversation) => readOutcome(await page.evaluate(`converse(${writeConversation(conversation)})`));
}

/** A message on its way to and from another process. */
type EncodedMessage = { readonly text: string } | { readonly base64: string };

function writeConversation({ url, messages = [], close }: Conversation): string {
  const encode = (message: Message): EncodedMessage =>
    typeof message === 'string' ? { text: message } : { base64: message.toString('base64') };
  return JSON.stringify({ url, messages: messages.map(encode), close: close ?? null });
}

function readOutcome(outcome: unknown): Outcome {
  const { echoes, closing } = outcome as { echoes: EncodedMessage[]; closing: Closing };
  const decode = (message: EncodedMessage): Message =>
    'text' in message ? message.text : Buffer.from(message.base64, 'base64');
  return { echoes: echoes.map(decode), closing };
}
