import { proxied } from './support/proxies';
import { talksWithOurClient } from './support/serverSpecs';

// HTTP/1.1 on both sides is in realServers.spec.ts.
const ways = [
  { client: 'http2', server: 'http2' },
  { client: 'http2', server: 'http1' },
  { client: 'http1', server: 'http2' },
] as const;

for (const name of ['haproxy', 'nghttpx'] as const) {
  for (const transports of ways) {
    const options = { http2: transports.client === 'http2' };
    talksWithOurClient(proxied(name, transports.server), { secure: true, options, transports });
  }
}

describe('A proxy for HTTP/2 without extended CONNECT', () => {
  const transports = { client: 'http1', server: 'http1' } as const;
  talksWithOurClient(proxied('nginx'), { secure: true, options: { http2: true }, transports });
});
