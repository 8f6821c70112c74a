import { expect } from 'chai';
import { createMaskingKernel, createWordKernel } from '../../lib/codec/maskingKernel';
import { exampleKey, masked } from '../support/vectors';

const size = 1000;

for (const [name, create] of [
  ['The masking kernel', createMaskingKernel],
  ['Its stand-in without WebAssembly', createWordKernel],
] as const) {
  describe(name, () => {
    it('masks the first bytes of its memory, as many as it is told to', () => {
      const kernel = create(size);
      const memory = Buffer.from(kernel.memory);
      for (let length = 0; length <= size; length++) {
        const payload = Buffer.from(Uint8Array.from({ length }, (_, i) => i * 3 + length));
        memory.set(payload);
        kernel.mask(length, exampleKey.readInt32LE(0));
        expect(memory.subarray(0, length).equals(masked(payload, exampleKey)), `${length} bytes`).to.equal(true);
      }
    });

    it('leaves alone what stands 16 bytes behind, and further', () => {
      const kernel = create(size);
      const memory = Buffer.from(kernel.memory).fill(1);
      kernel.mask(100, exampleKey.readInt32LE(0));
      expect(memory.subarray(116, size).every((byte) => byte === 1)).to.equal(true);
    });
  });
}
