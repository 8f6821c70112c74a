import { isBytes } from '../codec/bytes';
import { encodeCloseBody } from '../codec/controlFrames';
import { maskInPlace } from '../codec/masking';
import { createMaskingKey } from '../codec/random';
import type { ByteSink, Encodable, Encoder, Role } from '../contracts';
import { LENGTH_16, LENGTH_64, MASKED } from './frameLayout';
import { dataPayload, invalidItem, pingPayload } from './outgoingItems';
import { FIN, maxHeaderSize, opcodes, RSV1 } from './rfc6455Frames';

/** Payloads of up to this many bytes are copied next to their header; larger ones are sent by reference. */
const copiedPayload = 4096;

/**
 * Texts of up to this many characters are encoded directly into the output, in which three bytes are reserved for each
 * character.
 */
const encodedInPlace = 8192;

/** Below this many characters or bytes a loop is faster than a call into the runtime (for 20: 20 ns against 60 ns). */
const shortPayload = 32;

/** Returns an Encoder for the frames of RFC 6455: masked for a client, unmasked for a server (RFC 6455 §5.1). */
export function rfc6455Encoder(role: Role): Encoder {
  const masked = role === 'client' ? MASKED : 0;
  return (item, sink) => {
    if (typeof item === 'string') return writeText(FIN | opcodes.text, masked, item, sink);
    if (isBytes(item)) return writeBytes(FIN | opcodes.binary, masked, item, sink);
    return writeNamed(item, masked, sink);
  };
}

type NamedFrame = Exclude<Encodable, string | Uint8Array>;

function writeNamed(frame: NamedFrame, masked: number, sink: ByteSink): void {
  switch (frame?.opcode) {
    case 'close':
      return writeBytes(FIN | opcodes.close, masked, encodeCloseBody(frame), sink);
    case 'ping':
    case 'pong':
      return writeBytes(FIN | opcodes[frame.opcode], masked, pingPayload(frame), sink);
    case 'text':
    case 'binary':
    case 'continuation': {
      const first = (frame.fin === false ? 0 : FIN) | (frame.compressed ? RSV1 : 0) | opcodes[frame.opcode];
      const payload = dataPayload(frame);
      if (typeof payload === 'string') return writeText(first, masked, payload, sink);
      return writeBytes(first, masked, payload, sink);
    }
    default:
      throw invalidItem(frame);
  }
}

function writeText(first: number, masked: number, text: string, sink: ByteSink): void {
  if (text.length > encodedInPlace) return writeBytes(first, masked, encodeLarge(text), sink);
  const start = sink.reserve(maxHeaderSize + text.length * 3);
  // The size of the header depends on the number of bytes, which is known only after the text was written.
  const guessed = headerSize(text.length, masked);
  const length = writeUtf8(sink.bytes, start + guessed, text);
  const actual = headerSize(length, masked);
  if (actual !== guessed) sink.bytes.copyWithin(start + actual, start + guessed, start + guessed + length);
  writeHeader(sink.bytes, start, first, masked, length);
  const end = start + actual + length;
  if (masked !== 0) maskInPlace(sink.bytes, start + actual, end, writeKey(sink.bytes, start + actual - 4));
  sink.commit(end - start);
}

/** Encodes a text into a new Buffer. If each character is one byte, `latin1` is three times as fast as `utf8`. */
function encodeLarge(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.write(text, length === text.length ? 'latin1' : 'utf8');
  return bytes;
}

/** Writes a text as UTF-8 and returns the number of its bytes. */
function writeUtf8(target: Buffer, at: number, text: string): number {
  if (text.length >= shortPayload) return target.write(text, at);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return target.write(text, at);
    target[at + i] = code;
  }
  return text.length;
}

function copyBytes(target: Buffer, at: number, bytes: Uint8Array): void {
  if (bytes.length >= shortPayload) return target.set(bytes, at);
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] as number;
}

function writeBytes(first: number, masked: number, payload: Uint8Array, sink: ByteSink): void {
  const header = headerSize(payload.length, masked);
  const inPlace = payload.length <= copiedPayload;
  const start = sink.reserve(header + (inPlace ? payload.length : 0));
  const { bytes } = sink;
  writeHeader(bytes, start, first, masked, payload.length);
  const key = masked === 0 ? 0 : writeKey(bytes, start + header - 4);
  if (inPlace) {
    copyBytes(bytes, start + header, payload);
    if (masked !== 0) maskInPlace(bytes, start + header, start + header + payload.length, key);
    sink.commit(header + payload.length);
    return;
  }
  sink.commit(header);
  sink.append(masked === 0 ? payload : maskedWhole(payload, key));
}

/** Returns a masked copy, because the program's payload must not be changed. */
function maskedWhole(payload: Uint8Array, key: number): Buffer {
  const copy = Buffer.from(payload);
  maskInPlace(copy, 0, copy.length, key);
  return copy;
}

function headerSize(length: number, masked: number): number {
  const size = length < LENGTH_16 ? 2 : length < 0x10000 ? 4 : 10;
  return masked === 0 ? size : size + 4;
}

/** Writes a frame header without its masking key. */
function writeHeader(bytes: Buffer, at: number, first: number, masked: number, length: number): void {
  bytes[at] = first;
  if (length < LENGTH_16) {
    bytes[at + 1] = masked | length;
  } else if (length < 0x10000) {
    bytes[at + 1] = masked | LENGTH_16;
    bytes[at + 2] = length >>> 8;
    bytes[at + 3] = length;
  } else {
    bytes[at + 1] = masked | LENGTH_64;
    bytes.writeUInt32BE(Math.floor(length / 0x100000000), at + 2);
    bytes.writeUInt32BE(length % 0x100000000, at + 6);
  }
}

/** Writes a new masking key (RFC 6455 §5.3) and returns it. */
function writeKey(bytes: Buffer, at: number): number {
  const key = createMaskingKey();
  bytes.writeInt32LE(key, at);
  return key;
}
