import { constants, deflateRaw as zlibDeflateRaw, inflateRaw as zlibInflateRaw } from 'node:zlib';
import { DeflateRaw, InflateRaw } from 'minizlib';

/** The end of the output of a sync flush, which the sender leaves out (RFC 7692 §7.2.1). */
export const flushTail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * Messages from this many bytes on are processed on another thread. That takes up to 100 µs more, and does not delay
 * other connections. It is the size of the window, so no later message can refer to bytes before such a message.
 */
export const largeMessage = 32 * 1024;

/** Bytes of the output buffer of an engine. They are enough for most messages; zlib allocates more if needed. */
const chunkSize = 4 * 1024;

export interface DeflateSettings {
  readonly windowBits: number;
  readonly level: number;
  readonly memLevel: number;
}

/** A synchronous compressor, which keeps its window from message to message. */
export class SyncDeflater {
  readonly #stream: DeflateRaw;
  #output: Buffer[] = [];

  constructor(settings: DeflateSettings) {
    const options = { ...settings, chunkSize, flush: constants.Z_SYNC_FLUSH };
    this.#stream = new DeflateRaw(options);
    this.#stream.on('data', (bytes: Buffer) => this.#output.push(bytes));
  }

  /** @param payload at least one byte, because a flush of no input has no output */
  deflate(payload: Uint8Array): Buffer {
    this.#stream.write(payload as Buffer);
    return withoutTail(takeAll(this.#output));
  }

  /** Empties the window of the engine. */
  reset(): void {
    this.#stream.reset();
  }

  close(): void {
    this.#stream.close();
  }
}

export interface InflateSettings {
  readonly windowBits: number;
  /** Most bytes of one message after decompression. */
  readonly maxOutputLength: number;
  /** The initial window: the last bytes of earlier messages. */
  readonly dictionary?: Buffer | undefined;
}

/** A synchronous decompressor, which keeps its window from message to message. It cannot be used after an error. */
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
   * @returns the output; undefined if a final block (BFINAL) has ended the stream before the end of the input
   * @throws the error of zlib
   */
  inflate(input: Buffer): Buffer | undefined {
    const { output, used } = this.inflateSome(input);
    return used < input.length ? undefined : output;
  }

  /**
   * Decompresses input up to its end, or up to a final block (BFINAL).
   * @throws the error of zlib
   */
  inflateSome(input: Buffer): Inflated {
    this.#stream.write(input);
    const output = takeAll(this.#output);
    if (this.#error !== undefined) throw this.#error;
    return { output, used: (this.#stream.handle as unknown as { bytesWritten: number }).bytesWritten };
  }

  /** Empties the window of the engine. */
  reset(): void {
    this.#stream.reset();
  }

  close(): void {
    this.#stream.close();
  }
}

/** Compresses one message on another thread. */
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

/** Decompresses on another thread, up to the end of the input or of a final block (BFINAL). */
export function inflateOnThread(input: Buffer, settings: InflateSettings): Promise<Inflated> {
  const options = { ...optionsOf(settings), finishFlush: constants.Z_SYNC_FLUSH, info: true };
  return onThread(
    () =>
      new Promise((resolve, reject) => {
        zlibInflateRaw(input, options, (error, result) => {
          if (error) return reject(error);
          // The types do not say that `info: true` changes the result.
          const { buffer, engine } = result as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
          resolve({ output: buffer, used: engine.bytesWritten });
        });
      }),
  );
}

/** Returns whether zlib has stopped because its output exceeds `maxOutputLength`. */
export function isTooLarge(error: unknown): boolean {
  // Recognized by its code and not by instanceof, because the error may belong to another realm, as under Jest.
  return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
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

/**
 * The most jobs that run at the same time: the default number of Node's threads. Each job needs up to 300 KiB, so their
 * number is limited.
 */
const mostJobs = 4;
let running = 0;
const waiting: (() => void)[] = [];

async function onThread<T>(job: () => Promise<T>): Promise<T> {
  if (running === mostJobs) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await job();
  } finally {
    // If a job waits, it takes the place of the finished one, so `running` is not changed.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
