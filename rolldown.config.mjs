/** Builds `dist/modules`: the library as ES modules, for bundlers. docs/architecture.md says why they are built, and why Node does not use them. */
import { isAbsolute } from 'node:path';
import { defineConfig } from 'rolldown';

/** `require('node-websocket-handler/ws')` gets the class itself in a bundle as well, and not an object with it as `default`. */
const requiredWs = {
  name: 'required-ws',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'ws.cjs', source: "module.exports = require('./ws.mjs').default;\n" });
  },
};

export default defineConfig({
  input: {
    webSocketHandler: 'lib/webSocketHandler.ts',
    fastify: 'lib/integrations/fastify.ts',
    hono: 'lib/integrations/hono.ts',
    koa: 'lib/integrations/koa.ts',
    nest: 'lib/integrations/nest.ts',
    topics: 'lib/topics/index.ts',
    topicsContract: 'lib/topics/contract/index.ts',
    ws: 'lib/adapters/ws/index.mts',
    'topics-nats': 'lib/topics/nats/index.ts',
    'topics-redis': 'lib/topics/redis/index.ts',
  },
  platform: 'node',
  // Node's modules, minizlib, the frameworks, and the clients of brokers.
  external: (id) => !id.startsWith('.') && !isAbsolute(id),
  plugins: [requiredWs],
  output: {
    dir: 'dist/modules',
    format: 'esm',
    entryFileNames: '[name].mjs',
    // A chunk gets a number if there are several.
    chunkFileNames: 'shared.mjs',
    comments: { jsdoc: false, legal: false, annotation: true },
  },
});
