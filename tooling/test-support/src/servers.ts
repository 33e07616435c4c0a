// Without Jest: for programs that are not tests.
export { hasPostgres, startPostgres, type PostgresServer } from './postgres-server.js';
export { hasRedis, startRedis, type RedisServer } from './redis-server.js';
export { eventually, freePort } from './services.js';
export { startProxy, type TcpProxy } from './tcp-proxy.js';
