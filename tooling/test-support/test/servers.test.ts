import { expect, test } from '@jest/globals';
import pg from 'pg';
import { startRedis, startPostgres } from '../src/index.js';

test('servers start, pause, die and come back', async () => {
  const redis = await startRedis();
  redis.pause();
  redis.resume();
  await redis.kill();
  await redis.restart();
  await redis.stop();
  const p = await startPostgres();
  expect(await p.createDatabase()).toContain('test_1');
  await p.kill();
  await p.restart();
  p.pause();
  p.resume();
  await p.stop();
}, 60000);

test('a paused PostgreSQL answers nobody, connections that are open included; a killed one ends them', async () => {
  const server = await startPostgres();
  const client = new pg.Client({ connectionString: server.url });
  const ended = new Promise((resolve) => client.once('end', resolve));
  client.on('error', () => undefined);
  await client.connect();
  await client.query('select 1');
  server.pause();
  let answered = false;
  const answer = client.query('select 1').then(() => (answered = true));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(answered).toBe(false);
  server.resume();
  await answer;
  await server.kill();
  await ended;
  await server.stop();
}, 60000);
