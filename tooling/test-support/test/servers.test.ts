import { expect, test } from '@jest/globals';
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
