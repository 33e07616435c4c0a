export { describeWithPostgres, describeWithRedis } from './describe-with.js';
export { embeddedPostgres } from './embedded-postgres.js';
export { onBothExpress, type ExpressLike } from './express-majors.js';
export { eventually, freePort } from './services.js';
export { startRedis, type RedisServer } from './redis-server.js';
export { startPostgres, type PostgresServer } from './postgres-server.js';
export { startProxy, type TcpProxy } from './tcp-proxy.js';
export { vectorsDirectory } from './vectors.js';
