import { constants, deflateRaw as zlibDeflateRaw, inflateRaw as zlibInflateRaw } from 'node:zlib';
import { DeflateRaw, InflateRaw } from 'minizlib';

/** What a sync flush puts at the end, and the sender leaves out (RFC 7692 §7.2.1). */
export const flushTail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * Messages from this size on are processed by a thread of zlib's; that costs up to 100 µs more, and does not hold up the
 * others. It is the size of the window: whatever came before such a message is out of reach after it.
 */
export const largeMessage = 32 * 1024;

/** Memory for a message of usual size; more is taken when it is needed. */
const chunkSize = 4 * 1024;

export interface DeflateSettings {
  readonly windowBits: number;
  readonly level: number;
  readonly memLevel: number;
}

/** A compressor that works at once and keeps its window from message to message. */
export class SyncDeflater {
  readonly #stream: DeflateRaw;
  #output: Buffer[] = [];

  constructor(settings: DeflateSettings) {
    const options = { ...settings, chunkSize, flush: constants.Z_SYNC_FLUSH };
    this.#stream = new DeflateRaw(options);
    this.#stream.on('data', (bytes: Buffer) => this.#output.push(bytes));
  }

  /** @param payload not empty: a flush with nothing to flush yields nothing */
  deflate(payload: Uint8Array): Buffer {
    this.#stream.write(payload as Buffer);
    return withoutTail(takeAll(this.#output));
  }

  /** Forgets what it has seen. */
  reset(): void {
    this.#stream.reset();
  }

  close(): void {
    this.#stream.close();
  }
}

export interface InflateSettings {
  readonly windowBits: number;
  /** Bytes that one message may yield. */
  readonly maxOutputLength: number;
  /** What came before. */
  readonly dictionary?: Buffer | undefined;
}

/** A decompressor that works at once and keeps its window from message to message. After an error it is of no more use. */
export class SyncInflater {
  readonly #stream: InflateRaw;
  #output: Buffer[] = [];
  #error: Error | undefined;

  constructor(settings: InflateSettings) {
    const options = { ...optionsOf(settings), chunkSize, flush: constants.Z_SYNC_FLUSH };
    this.#stream = new InflateRaw(options);
    this.#stream.on('data', (bytes: Buffer) => this.#output.push(bytes));
    this.#stream.on('error', (error) => {
      this.#error = error as Error;
    });
  }

  /**
   * @returns the output; undefined if a final block (BFINAL) has ended the stream, and there was more behind it
   * @throws what zlib has against it
   */
  inflate(input: Buffer): Buffer | undefined {
    const { output, used } = this.inflateSome(input);
    return used < input.length ? undefined : output;
  }

  /** @throws what zlib has against it */
  inflateSome(input: Buffer): Inflated {
    this.#stream.write(input);
    const output = takeAll(this.#output);
    if (this.#error !== undefined) throw this.#error;
    return { output, used: (this.#stream.handle as unknown as { bytesWritten: number }).bytesWritten };
  }

  /** Forgets what it has seen. */
  reset(): void {
    this.#stream.reset();
  }

  close(): void {
    this.#stream.close();
  }
}

/** Compresses one message on a thread of zlib's. */
export function deflateOnThread(payload: Uint8Array, settings: DeflateSettings): Promise<Buffer> {
  return onThread(
    () =>
      new Promise((resolve, reject) => {
        zlibDeflateRaw(payload, { ...settings, finishFlush: constants.Z_SYNC_FLUSH }, (error, output) => {
          if (error) reject(error);
          else resolve(withoutTail(output));
        });
      }),
  );
}

export interface Inflated {
  readonly output: Buffer;
  /** Bytes of the input that were used; fewer than all if a final block has ended the stream. */
  readonly used: number;
}

/** Decompresses on a thread of zlib's, until the input ends or a final block does. */
export function inflateOnThread(input: Buffer, settings: InflateSettings): Promise<Inflated> {
  const options = { ...optionsOf(settings), finishFlush: constants.Z_SYNC_FLUSH, info: true };
  return onThread(
    () =>
      new Promise((resolve, reject) => {
        zlibInflateRaw(input, options, (error, result) => {
          if (error) return reject(error);
          // What `info: true` makes of the result is not in its type.
          const { buffer, engine } = result as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
          resolve({ output: buffer, used: engine.bytesWritten });
        });
      }),
  );
}

/** Has zlib stopped because the output would become too large? */
export function isTooLarge(error: unknown): boolean {
  // Not by instanceof: under Jest, say, the error is of another realm.
  return (error as NodeJS.ErrnoException | null)?.code === 'ERR_BUFFER_TOO_LARGE';
}

function optionsOf({ windowBits, maxOutputLength, dictionary }: InflateSettings): InflateSettings {
  const options = { windowBits, maxOutputLength };
  return dictionary === undefined || dictionary.length === 0 ? options : { ...options, dictionary };
}

function withoutTail(output: Buffer): Buffer {
  return output.subarray(0, output.length - flushTail.length);
}

function takeAll(pieces: Buffer[]): Buffer {
  const output = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  pieces.length = 0;
  return output;
}

/** As many as Node has threads for this by default. Each holds up to 300 KiB, so a thousand at once would be a thousand times that. */
const mostJobs = 4;
let running = 0;
const waiting: (() => void)[] = [];

async function onThread<T>(job: () => Promise<T>): Promise<T> {
  if (running === mostJobs) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await job();
  } finally {
    // The place goes from one to the next.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
