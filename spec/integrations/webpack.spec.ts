import { itSharesTheServer } from './itSharesTheServer';

describe('webpack-dev-server', () =>
  itSharesTheServer('webpack.ts', { path: '/ws', sameOrigin: true, says: /hot|liveReload|reconnect/ }));
