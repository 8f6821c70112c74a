import { proxied } from './support/proxies';
import { talksWithOurClient } from './support/serverSpecs';
import { servers } from './support/servers';

for (const server of [...servers, proxied('nginx'), proxied('haproxy')]) {
  for (const secure of [false, true]) talksWithOurClient(server, { secure });
}
