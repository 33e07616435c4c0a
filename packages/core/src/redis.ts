export { redisStore, type RedisStoreOptions } from './redis/redis-store.js';
export { redisFeed, type RedisFeedOptions } from './redis/redis-feed.js';
export type { RedisClientLike, RedisSubscriberLike } from './redis/redis-types.js';
