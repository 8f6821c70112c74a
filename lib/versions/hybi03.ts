import { isBytes } from '../codec/bytes';
import type { ByteSink, CloseFrame, Encodable, Encoder, ProtocolVersion } from '../contracts';
import { FrameDecoder } from './frameDecoder';
import { answerChallenge, challengeServer } from './hixie76';
import { layout, MORE, opcodes, ownCloseBody } from './hybi03Frames';
import { dataPayload, invalidItem, pingPayload } from './outgoingItems';

/** hybi-01 to -03: the handshake of hixie-76, and frames that begin with their length. */
export const hybi03: ProtocolVersion = {
  versions: ['draft03'],
  byDefault: true,
  capabilities: {
    binary: true,
    fragments: true,
    ping: true,
    close: true,
    closeCode: false,
    extensions: false,
    declineProtocol: false,
  },
  // hybi-02 and -03 both have the number 2. Clients of -01 send 1, and some clients send 3, which no draft has defined.
  claims: (headers) => (/^[123]$/.test(String(headers['sec-websocket-draft'])) ? 'draft03' : undefined),
  originHeader: () => 'origin',
  protocolHeader: 'Sec-WebSocket-Protocol',
  answer: answerChallenge,
  connect: (_version, location, origin) => challengeServer(location, origin, { 'Sec-WebSocket-Draft': '2' }),
  decoder: (_role, options) => new FrameDecoder(layout, options),
  encoder: () => encode,
};

/** Payloads of up to this many bytes are copied next to their header; larger ones are sent by reference. */
const copiedPayload = 4096;

const encode: Encoder = (item, sink) => {
  if (typeof item === 'string') return writeFrame(opcodes.text, Buffer.from(item), sink);
  if (isBytes(item)) return writeFrame(opcodes.binary, item, sink);
  writeNamed(item, sink);
};

function writeNamed(item: Exclude<Encodable, string | Uint8Array>, sink: ByteSink): void {
  switch (item?.opcode) {
    case 'close':
      return writeFrame(opcodes.close, closeBodyOf(item), sink);
    case 'ping':
    case 'pong':
      return writeFrame(opcodes[item.opcode], pingPayload(item), sink);
    case 'text':
    case 'binary':
    case 'continuation': {
      const payload = dataPayload(item);
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
      return writeFrame(opcodes[item.opcode] | (item.fin === false ? MORE : 0), bytes, sink);
    }
    default:
      throw invalidItem(item);
  }
}

/**
 * Returns the body of a Close frame: in an answer, that of the peer's Close frame; otherwise one by which the peer's
 * answer is recognized. There are no close codes.
 */
function closeBodyOf({ body }: CloseFrame): Uint8Array {
  return body ?? ownCloseBody;
}

function writeFrame(first: number, payload: Uint8Array, sink: ByteSink): void {
  const { length } = payload;
  const header = length < 126 ? 2 : length < 0x10000 ? 4 : 10;
  const copied = length <= copiedPayload;
  const at = sink.reserve(header + (copied ? length : 0));
  const { bytes } = sink;
  bytes[at] = first;
  bytes[at + 1] = header === 2 ? length : header === 4 ? 126 : 127;
  if (header === 4) bytes.writeUInt16BE(length, at + 2);
  else if (header === 10) bytes.writeBigUInt64BE(BigInt(length), at + 2);
  if (copied) bytes.set(payload, at + header);
  sink.commit(header + (copied ? length : 0));
  if (!copied) sink.append(payload);
}
