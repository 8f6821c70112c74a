const key = [0x37, 0xfa, 0x21, 0x3d] as const;
const opcodes = { text: 1, binary: 2 } as const;

interface FrameOptions {
  readonly kind: 'text' | 'binary';
  readonly compressed: boolean;
}

/** The frame that a client sends. */
export function createRequest(payload: Buffer, options: FrameOptions): Buffer {
  const masked = payload.map((byte, i) => byte ^ (key[i & 3] as number));
  return Buffer.concat([createHead(payload.length, 0x80, options), Buffer.from(key), masked]);
}

/** The frame that a server sends, if it makes one frame of a message. */
export function createReply(payload: Buffer, options: FrameOptions): Buffer {
  return Buffer.concat([createHead(payload.length, 0, options), payload]);
}

function createHead(size: number, mask: number, { kind, compressed }: FrameOptions): Buffer {
  const first = 0x80 | opcodes[kind] | (compressed ? 0x40 : 0);
  if (size < 126) return Buffer.from([first, mask | size]);
  const head = Buffer.alloc(size < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = mask | (size < 65_536 ? 126 : 127);
  if (size < 65_536) head.writeUInt16BE(size, 2);
  else head.writeBigUInt64BE(BigInt(size), 2);
  return head;
}

/** The answer to a chunk that is a ping and nothing else; undefined if it is something else. A server may ping who has been silent. */
export function answerPing(bytes: Buffer): Buffer | undefined {
  if (bytes[0] !== 0x89 || bytes.length !== 2 + (bytes[1] as number)) return undefined;
  const pong = createRequest(bytes.subarray(2), { kind: 'text', compressed: false });
  pong[0] = 0x8a;
  return pong;
}

export interface Frame {
  readonly kind: 'text' | 'binary' | undefined;
  readonly compressed: boolean;
  readonly payload: Buffer;
}

/** Cuts whole frames of a server out of what has come; `rest` is the beginning of the next. */
export function readFrames(bytes: Buffer): { frames: Frame[]; rest: Buffer } {
  const frames: Frame[] = [];
  let rest = bytes;
  for (;;) {
    const [first = 0, second = 0] = rest;
    const length = second & 0x7f;
    const head = length === 126 ? 4 : length === 127 ? 10 : 2;
    if (rest.length < head) return { frames, rest };
    const size = length === 126 ? rest.readUInt16BE(2) : length === 127 ? Number(rest.readBigUInt64BE(2)) : length;
    if (rest.length < head + size) return { frames, rest };
    const opcode = first & 0xbf;
    const kind = opcode === 0x81 ? 'text' : opcode === 0x82 ? 'binary' : undefined;
    frames.push({ kind, compressed: (first & 0x40) !== 0, payload: rest.subarray(head, head + size) });
    rest = rest.subarray(head + size);
  }
}
