import type { Extension, ExtensionOptions, ExtensionParameters, PerMessageDeflateOptions, Role } from '../contracts';
import { WebSocketError } from '../errors';
import { DeflateCompressor } from './deflateCompressor';
import { DeflateDecompressor } from './deflateDecompressor';

/**
 * For messages of some KiB, from many connections in turn: zlib's own defaults (level 6, 15 bits, memLevel 8) take 1.6
 * times as long, because their engines, of 256 KiB instead of 96, do not stay in the processor's cache. Documents of
 * 900 B in JSON are compressed to 172 bytes, and with zlib's defaults to 159.
 */
const defaults = { level: 4, windowBits: 13, memLevel: 7, threshold: 128, idleRelease: 30_000 } as const;

const largestWindow = 15;

/** The parameters of an offer or an answer (RFC 7692 §7.1). */
interface Parameters {
  serverNoContextTakeover?: true;
  clientNoContextTakeover?: true;
  serverMaxWindowBits?: number;
  /**
   * `'any'` is a parameter without a value in an offer: the server may ask for a smaller window (RFC 7692 §7.1.2.2).
   */
  clientMaxWindowBits?: number | 'any';
}

/** The settings for `perMessageDeflate: true`. */
const unset: PerMessageDeflateOptions = {};

/** The offer of a client without settings. */
const plainOffer = format({ clientMaxWindowBits: 'any' });

/** permessage-deflate (RFC 7692). */
export const permessageDeflate: Extension = {
  name: 'permessage-deflate',

  offer(options) {
    const wanted = settingsOf(options);
    if (wanted === undefined) return undefined;
    if (wanted === unset) return plainOffer;
    return format({
      ...flags(wanted),
      ...(wanted.serverMaxWindowBits !== undefined && { serverMaxWindowBits: wanted.serverMaxWindowBits }),
      clientMaxWindowBits: wanted.clientMaxWindowBits ?? 'any',
    });
  },

  answer(offered, options) {
    const wanted = settingsOf(options);
    if (wanted === undefined) return undefined;
    const offer = parse(offered, 'offer');
    if (offer === undefined) return undefined;
    const answer: Parameters = flags({
      serverNoContextTakeover: offer.serverNoContextTakeover === true || wanted.serverNoContextTakeover === true,
      clientNoContextTakeover: offer.clientNoContextTakeover === true || wanted.clientNoContextTakeover === true,
    });
    // A server may use a smaller window even if the client did not ask for it, but some clients fail if the answer then
    // has this parameter.
    if (offer.serverMaxWindowBits !== undefined)
      answer.serverMaxWindowBits = Math.min(offer.serverMaxWindowBits, wanted.serverMaxWindowBits ?? largestWindow);
    const clientBits = clientWindow(offer.clientMaxWindowBits, wanted.clientMaxWindowBits);
    if (clientBits !== undefined) answer.clientMaxWindowBits = clientBits;
    return format(answer);
  },

  verify(answered, options) {
    const offered = settingsOf(options) ?? {};
    const answer = parse(answered, 'answer');
    if (answer === undefined) throw refused('malformed parameters');
    if (offered.serverNoContextTakeover === true && answer.serverNoContextTakeover === undefined)
      throw refused('server_no_context_takeover was asked for');
    if ((answer.serverMaxWindowBits ?? largestWindow) > (offered.serverMaxWindowBits ?? largestWindow))
      throw refused('server_max_window_bits is larger than was offered');
    const clientBits = answer.clientMaxWindowBits as number | undefined;
    if (clientBits !== undefined && clientBits > (offered.clientMaxWindowBits ?? largestWindow))
      throw refused('client_max_window_bits is larger than was offered');
  },

  compressor(role, agreed, options) {
    const settings = settingsOf(options) ?? {};
    const { noContextTakeover, windowBits } = directionOf(role, agreed);
    const wish = role === 'server' ? settings.serverMaxWindowBits : settings.clientMaxWindowBits;
    return new DeflateCompressor({
      noContextTakeover,
      // The other side need not know of a smaller window.
      windowBits: Math.min(windowBits, wish ?? defaults.windowBits),
      level: settings.level ?? defaults.level,
      memLevel: settings.memLevel ?? defaults.memLevel,
      threshold: settings.threshold ?? defaults.threshold,
      idleRelease: settings.idleRelease ?? defaults.idleRelease,
    });
  },

  decompressor(role, agreed, options) {
    const peer = role === 'server' ? 'client' : 'server';
    return new DeflateDecompressor({
      ...directionOf(peer, agreed),
      maxMessageSize: options.maxMessageSize,
      idleRelease: settingsOf(options)?.idleRelease ?? defaults.idleRelease,
    });
  },
};

/** Returns how one side compresses, as agreed. */
function directionOf(sender: Role, agreed: ExtensionParameters) {
  const parameters = parse(agreed, 'answer') ?? {};
  const [noContextTakeover, bits] =
    sender === 'server'
      ? [parameters.serverNoContextTakeover, parameters.serverMaxWindowBits]
      : [parameters.clientNoContextTakeover, parameters.clientMaxWindowBits];
  return { noContextTakeover: noContextTakeover === true, windowBits: typeof bits === 'number' ? bits : largestWindow };
}

function settingsOf({ perMessageDeflate }: ExtensionOptions): PerMessageDeflateOptions | undefined {
  if (perMessageDeflate === true) return unset;
  return perMessageDeflate === false ? undefined : perMessageDeflate;
}

function flags({ serverNoContextTakeover, clientNoContextTakeover }: PerMessageDeflateOptions): Parameters {
  return {
    ...(serverNoContextTakeover === true && { serverNoContextTakeover }),
    ...(clientNoContextTakeover === true && { clientNoContextTakeover }),
  };
}

/** Returns the window that the server asks the client to use, if the client allows it (RFC 7692 §7.1.2.2). */
function clientWindow(offered: number | 'any' | undefined, wanted: number | undefined): number | undefined {
  if (offered === undefined) return undefined;
  if (offered === 'any') return wanted;
  return Math.min(offered, wanted ?? largestWindow);
}

function format(parameters: Parameters): string {
  const words = ['permessage-deflate'];
  if (parameters.serverNoContextTakeover) words.push('server_no_context_takeover');
  if (parameters.clientNoContextTakeover) words.push('client_no_context_takeover');
  const { serverMaxWindowBits, clientMaxWindowBits } = parameters;
  if (serverMaxWindowBits !== undefined) words.push(`server_max_window_bits=${serverMaxWindowBits}`);
  if (clientMaxWindowBits === 'any') words.push('client_max_window_bits');
  else if (clientMaxWindowBits !== undefined) words.push(`client_max_window_bits=${clientMaxWindowBits}`);
  return words.join('; ');
}

/** Returns undefined if a parameter is unknown, occurs twice, or has an invalid value (RFC 7692 §7.1). */
function parse(parameters: ExtensionParameters, place: 'offer' | 'answer'): Parameters | undefined {
  const parsed: Parameters = {};
  const seen = new Set<string>();
  for (const [name, value] of parameters) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    if (name === 'server_no_context_takeover' && value === undefined) parsed.serverNoContextTakeover = true;
    else if (name === 'client_no_context_takeover' && value === undefined) parsed.clientNoContextTakeover = true;
    else if (name === 'server_max_window_bits' && isWindow(value)) parsed.serverMaxWindowBits = Number(value);
    else if (name === 'client_max_window_bits' && isWindow(value)) parsed.clientMaxWindowBits = Number(value);
    else if (name === 'client_max_window_bits' && value === undefined && place === 'offer')
      parsed.clientMaxWindowBits = 'any';
    else return undefined;
  }
  return parsed;
}

/** Returns whether a value is 8 to 15, without leading zeros (RFC 7692 §7.1.2.1). */
function isWindow(value: string | undefined): boolean {
  return value !== undefined && /^(?:[89]|1[0-5])$/.test(value);
}

function refused(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', `permessage-deflate: ${detail}`);
}
