import { itSharesTheServer } from './itSharesTheServer';

describe('Vite', () => itSharesTheServer('vite.ts', { path: '/', protocols: ['vite-hmr'], says: /connected/ }));
