import { inflateRawSync } from 'node:zlib';

/** What a sender leaves out at the end of a compressed message (RFC 7692 §7.2.1). */
export const tail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** An empty final block: what may follow wherever a block can begin. */
const probe = Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff]);

/**
 * What a message is when it is decompressed after others; undefined if it is malformed, or ends inside a block (RFC 7692 §7.2.1 makes a sender end
 * with a whole one). zlib does not say whether it does. So this asks it to read one more block.
 */
function wellFormed(payload: Buffer, dictionary: Buffer): Buffer | undefined {
  const outputs: Buffer[] = [];
  let rest = Buffer.concat([payload, tail, probe]);
  try {
    while (rest.length > 0) {
      const window = Buffer.concat([dictionary, ...outputs]).subarray(-32_768);
      const { buffer, engine } = inflateRawSync(rest, {
        info: true,
        maxOutputLength: 200_000,
        ...(window.length > 0 && { dictionary: window }),
      }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
      outputs.push(buffer);
      rest = rest.subarray(engine.bytesWritten);
      if (rest.equals(Buffer.concat([tail, probe]))) break;
    }
    return Buffer.concat(outputs);
  } catch {
    return undefined;
  }
}

/** The messages up to the first one after which it is not defined where the next one begins. */
export function defined(payloads: readonly Buffer[], keepsWindow: boolean): Buffer[] {
  const kept: Buffer[] = [];
  let window: Buffer = Buffer.alloc(0);
  for (const payload of payloads) {
    kept.push(payload);
    if (payload.length === 0) continue;
    const output = wellFormed(payload, window);
    if (output === undefined) break;
    if (keepsWindow) window = Buffer.concat([window, output]).subarray(-32_768);
  }
  return kept;
}
