import { itSharesTheServer } from './itSharesTheServer';

describe('webpack-dev-server', () =>
  itSharesTheServer('webpack.ts', { path: '/ws', says: /hot|liveReload|reconnect/ }));
