export { type RedisBrokerOptions, type RedisClient, redisBroker } from './redisBroker';
