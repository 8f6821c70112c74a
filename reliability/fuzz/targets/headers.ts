import { isWebSocketKey } from '../../../lib/codec/acceptKey';
import { keyNumber } from '../../../lib/codec/challenge';
import {
  hasToken,
  isHost,
  isSameOrigin,
  isToken,
  parseExtensions,
  parseSubprotocols,
} from '../../../lib/codec/headers';
import type { ExtensionElement } from '../../../lib/contracts';
import { WebSocketError } from '../../../lib/errors';
import { answerExtensions, offerExtensions, verifyExtensions } from '../../../lib/extensions';
import { claimedVersion } from '../../../lib/versions';
import { expectSame, Input } from '../input';

const deflate = [
  true,
  {},
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
  { serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
] as const;

const format = (elements: readonly ExtensionElement[]) =>
  elements
    .map(({ name, parameters }) =>
      [name, ...parameters.map(([key, value]) => (value === undefined ? key : `${key}=${value}`))].join('; '),
    )
    .join(', ');

function checkExtensions(value: string, input: Input): void {
  const elements = parseExtensions(value);
  if (elements === undefined) return;
  // What was read is written, and read again: the same.
  expectSame('parseExtensions', parseExtensions(format(elements)), elements);
  const options = { perMessageDeflate: input.pick(deflate) };
  const answer = answerExtensions(elements, options);
  // The peer of a good offer must be able to accept the answer. An offer of ours is one.
  if (answer !== '') expectSame('an answer that can be parsed', parseExtensions(answer)?.length, 1);
  const ours = answerExtensions(parseExtensions(offerExtensions(options)) ?? [], { perMessageDeflate: true });
  verifyExtensions(ours, options);
}

function checkAnswer(value: string, input: Input): void {
  try {
    verifyExtensions(value, { perMessageDeflate: input.pick(deflate) });
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    expectSame('the code', error.code, 'WS_ERR_INVALID_HANDSHAKE');
  }
}

function checkHost(value: string): void {
  if (!isHost(value) || value === '') return;
  // What passes as a host is the whole authority of a URL: no user, no path, nothing behind.
  if (!URL.canParse(`http://${value}/`)) return;
  const url = new URL(`http://${value}/`);
  expectSame('the path of a host', [url.username, url.password, url.pathname, url.search], ['', '', '/', '']);
  expectSame('the origin of a host is the same', isSameOrigin(`http://${value}`, value), url.host !== '');
}

function checkSubprotocols(value: string): void {
  for (const name of parseSubprotocols(value) ?? [])
    if (!isToken(name) || !hasToken(value, name.toLowerCase())) throw new Error(`${name} is no element of the list`);
}

function checkKeys(value: string): void {
  const number = keyNumber(value);
  if (number !== undefined && !(Number.isInteger(number) && number >= 0 && number < 2 ** 32))
    throw new Error(`the number of a key is ${number}`);
  if (isWebSocketKey(value)) expectSame('the bytes of a key', Buffer.from(value, 'base64').length, 16);
}

/** Which version claims a request must not depend on what cannot be: it names one, or none. */
function checkClaims(value: string): void {
  const [key = '', second = '', version = ''] = value.split('\n');
  const claimed = claimedVersion({
    ...(key && { 'sec-websocket-key': key }),
    ...(second && { 'sec-websocket-key1': second }),
    ...(version && { 'sec-websocket-version': version, 'sec-websocket-draft': version }),
    upgrade: 'websocket',
  });
  if (claimed !== undefined && typeof claimed !== 'string') throw new Error(`the version is ${claimed}`);
}

const checks: readonly ((value: string, input: Input) => void)[] = [
  checkExtensions,
  checkAnswer,
  checkSubprotocols,
  checkHost,
  checkKeys,
  checkClaims,
];

/** Every header that we parse: nothing but a WebSocketError, and nothing that means two things. */
export function fuzz(data: Buffer): void {
  const input = new Input(data);
  const check = input.pick(checks);
  const choice = new Input(input.take(2));
  check(input.rest().toString('latin1'), choice);
}
