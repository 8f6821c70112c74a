export { type IoRedisClient, type NodeRedisClient, type RedisBrokerOptions, redisBroker } from './redisBroker';
