export { onBothExpress, type ExpressLike } from './express-majors.js';
export { eventually, freePort } from './services.js';
export { describeWithRedis, startRedis, type RedisServer } from './redis-server.js';
export { describeWithPostgres, startPostgres, type PostgresServer } from './postgres-server.js';
export { vectorsDirectory } from './vectors.js';
