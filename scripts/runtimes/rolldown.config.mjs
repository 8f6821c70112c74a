/** Bundles the contract of all transports, with the built package in place of the sources. */
import { isAbsolute, join } from 'node:path';
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: join(import.meta.dirname, '../../spec/transports/contract.spec.ts'),
  platform: 'node',
  external: (id) => id.startsWith('node:') || (!id.startsWith('.') && !isAbsolute(id)),
  plugins: [
    {
      name: 'built-package',
      resolveId: (id) =>
        id.endsWith('/lib/webSocketHandler') ? { id: 'node-websocket-handler', external: true } : null,
    },
  ],
});
