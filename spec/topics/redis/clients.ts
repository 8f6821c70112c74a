import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from '../../../lib/topics/redis';

/** The clients that the driver takes, for a server on a port. */
export const clients: Readonly<Record<string, (port: number) => RedisClient>> = {
  redis: (port) => createClient({ socket: { host: '127.0.0.1', port } }),
  ioredis: (port) => new Redis({ host: '127.0.0.1', port, lazyConnect: true }),
};
