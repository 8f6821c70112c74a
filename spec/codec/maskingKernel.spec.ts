import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createMaskingKernel, createWordKernel } from '../../lib/codec/maskingKernel';
import { exampleKey, masked } from '../support/vectors';

const size = 1000;

for (const [name, create] of [
  ['The masking kernel', createMaskingKernel],
  ['Its stand-in without WebAssembly', createWordKernel],
] as const) {
  describe(name, () => {
    it('masks the given number of bytes at the start of its memory', () => {
      const kernel = create(size);
      const memory = Buffer.from(kernel.memory);
      for (let length = 0; length <= size; length++) {
        const payload = Buffer.from(Uint8Array.from({ length }, (_, i) => i * 3 + length));
        memory.set(payload);
        kernel.mask(length, exampleKey.readInt32LE(0));
        expect(memory.subarray(0, length).equals(masked(payload, exampleKey)), `${length} bytes`).to.equal(true);
      }
    });

    it('changes no byte from 16 bytes after the end on', () => {
      const kernel = create(size);
      const memory = Buffer.from(kernel.memory).fill(1);
      kernel.mask(100, exampleKey.readInt32LE(0));
      expect(memory.subarray(116, size).every((byte) => byte === 1)).to.equal(true);
    });
  });
}

describe('createMaskingKernel()', () => {
  const { WebAssembly: original } = globalThis as { WebAssembly?: unknown };
  afterEach(() => void Object.assign(globalThis, { WebAssembly: original }));

  const refused = () => {
    throw new Error('Out of memory: Cannot allocate Wasm memory for new instance');
  };

  for (const [what, stub] of [
    ['there is no WebAssembly', undefined],
    ['a module cannot be instantiated', { Module: class {}, Instance: refused }],
  ] as const)
    it(`needs no WebAssembly where ${what}`, () => {
      Object.assign(globalThis, { WebAssembly: stub });
      const kernel = createMaskingKernel(16);
      kernel.mask(5, 0x20202020);
      expect(Buffer.from(kernel.memory).toString('latin1', 0, 5)).to.equal('     ');
    });
});

describe('Masking where WebAssembly is missing or unusable', () => {
  const program = `
    const { maskedCopy } = require(${JSON.stringify(join(__dirname, '../../lib/codec/masking'))});
    const copy = maskedCopy(Buffer.alloc(1000, 0x41), 0, 1000, 0x20202020);
    process.stdout.write(copy.toString());`;
  const node = [process.execPath, '--require', require.resolve('ts-node/register/transpile-only')];
  const withLimit = (kibibytes: number) => ['sh', '-c', `ulimit -v ${kibibytes} && exec "$@"`, 'sh', ...node];
  const commands: readonly (readonly [what: string, command: readonly string[]])[] = [
    ['node --jitless', [...node, '--jitless']],
    ['node --no-enable-sse4-1', [...node, '--no-enable-sse4-1']],
    // Windows has no limit of this kind.
    ...(process.platform === 'win32' ? [] : [['ulimit -v 4000000', withLimit(4_000_000)] as const]),
  ];
  for (const [what, [path = '', ...parameters]] of commands) {
    it(`is done in JavaScript: ${what}`, async () => {
      const { stdout } = await promisify(execFile)(path, [...parameters, '--eval', program]);
      expect(stdout).to.equal('a'.repeat(1000));
    });
  }
});
