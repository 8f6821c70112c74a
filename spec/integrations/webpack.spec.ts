import { versionsForThisNode } from './inOwnProcess';
import { itSharesTheServer } from './itSharesTheServer';

for (const { name, version } of versionsForThisNode('webpack-dev-server', 'webpack-dev-server6'))
  describe(`webpack-dev-server ${version}`, () =>
    itSharesTheServer('webpack.ts', {
      path: '/ws',
      sameOrigin: true,
      says: /hot|liveReload|reconnect/,
      framework: name,
    }));
