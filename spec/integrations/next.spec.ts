import { itSharesTheServer } from './itSharesTheServer';

describe('Next.js', () => itSharesTheServer('next.ts', { path: '/_next/hmr', says: /./, login: '/api/login' }));
