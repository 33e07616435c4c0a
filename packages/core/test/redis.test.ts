import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWithRedis, eventually, startRedis, type RedisServer } from '@portcullis/test-support';
import { Cluster, Redis } from 'ioredis';
import { storeKey } from '../src/index.js';
import { redisFeed, redisStore } from '../src/redis.js';
import { changeFeedSuite, keyValueStoreSuite, recordedEvents } from '../src/testing.js';

describeWithRedis('Redis', () => {
  let server: RedisServer;
  let client: Redis;
  let subscriber: Redis;
  beforeAll(async () => {
    server = await startRedis();
    // A client that queues for ever while it has no connection: the worst case for late effects.
    client = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    subscriber = client.duplicate();
    subscriber.on('error', () => undefined);
  });
  afterAll(async () => {
    client.disconnect();
    subscriber.disconnect();
    await server.stop();
  });

  keyValueStoreSuite('redisStore', () => redisStore(client, { timeoutMs: 5000 }));
  changeFeedSuite('redisFeed', () => ({
    writer: redisFeed(client, { timeoutMs: 5000 }),
    reader: redisFeed(client, { timeoutMs: 5000, subscriber }),
  }));

  test('a feed whose stream was flushed or trimmed past the reader resets it', async () => {
    const feed = redisFeed(client, { timeoutMs: 5000, prefix: 'lost:', history: 100 });
    const before = await feed.publish([{ topic: 'rbac', subject: 'u1' }]);
    await client.del('lost:feed');
    await feed.publish([{ topic: 'rbac', subject: 'u2' }]);
    const read = await feed.readSince(before);
    expect(read.reset).toBe(true);
    expect(read.revision).toBeGreaterThan(before);
    for (let i = 0; i < 5; i++) {
      await feed.publish(Array.from({ length: 100 }, (_, j) => ({ topic: 'rbac', subject: `${i}-${j}` })));
    }
    expect((await feed.readSince(read.revision)).reset).toBe(true);
    expect(await client.xlen('lost:feed')).toBeLessThan(400);
  });

  test('a script that the server has forgotten is sent again', async () => {
    const store = redisStore(client, { timeoutMs: 5000 });
    const key = storeKey('test', 'forgotten');
    await store.increment(key, 1, { ttlMs: 60_000 });
    await client.script('FLUSH');
    expect((await store.increment(key, 1, { ttlMs: 60_000 })).value).toBe(2);
  });

  test('paused: every call is refused on time, late answers reach nobody, and all is well after it resumes', async () => {
    const events = recordedEvents();
    const store = redisStore(client, { timeoutMs: 100, events });
    const keys = Array.from({ length: 20 }, (_, i) => storeKey('test', 'paused', String(i)));
    for (const [i, key] of keys.entries()) await store.set(key, `value-${i}`);
    server.pause();
    const started = performance.now();
    const refused = await Promise.allSettled([
      ...keys.map((key) => store.get(key)),
      store.increment(storeKey('test', 'paused-count'), 1, { ttlMs: 1000 }),
      store.index.members(storeKey('test', 'paused-index')),
      store.get(keys[0]!, { deadlineMs: 20 }),
    ]);
    expect(performance.now() - started).toBeLessThan(2000);
    for (const one of refused)
      expect(one).toMatchObject({ reason: { code: 'E_STORE_TIMEOUT', status: 503 } });
    expect(events.of('store.failed').length).toBe(refused.length);
    server.resume();
    await eventually(async () => {
      for (const [i, key] of keys.entries()) expect(await store.get(key)).toBe(`value-${i}`);
    });
  });

  test('killed: calls are refused at once after the first deadline, nothing is queued, and a restart ends it', async () => {
    const store = redisStore(client, { timeoutMs: 100 });
    const key = storeKey('test', 'killed');
    await store.set(key, 'x');
    await server.kill();
    await eventually(() => expect(client.status).not.toBe('ready'));
    const refusal = { code: expect.stringMatching(/^E_STORE_(UNAVAILABLE|TIMEOUT)$/), status: 503 };
    await expect(store.increment(key, 1, { ttlMs: 1000 })).rejects.toMatchObject(refusal);
    await eventually(async () => {
      const started = performance.now();
      await expect(store.set(key, 'late')).rejects.toMatchObject({ code: 'E_STORE_UNAVAILABLE' });
      expect(performance.now() - started).toBeLessThan(50);
    });
    await server.restart();
    await eventually(async () => expect(await store.get(key)).toBeUndefined());
    expect(await store.set(key, 'again', { ifAbsent: true })).toBe(true);
  });

  test('a client that was closed refuses at once', async () => {
    const closed = new Redis(server.url);
    closed.disconnect();
    await eventually(() => expect(closed.status).toBe('end'));
    await expect(redisStore(closed).get(storeKey('test', 'x'))).rejects.toMatchObject({
      code: 'E_STORE_UNAVAILABLE',
    });
  });

  test.each([{ prefix: 'no-colon' }, { prefix: 'a{b}:' }, { timeoutMs: 0 }, { timeout: 5 }])(
    'a wrong option does not start: %j',
    (options) => {
      expect(() => redisStore(client, options as object)).toThrow(
        expect.objectContaining({ owner: 'redisStore' }),
      );
    },
  );
});

describeWithRedis('Redis Cluster', () => {
  let server: RedisServer;
  let client: Cluster;
  let subscriber: Redis;
  beforeAll(async () => {
    // One node that holds all slots: it refuses commands over several slots as a large cluster does.
    server = await startRedis(['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']);
    const node = new Redis(server.url);
    await node.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await eventually(async () => expect(await node.call('CLUSTER', 'INFO')).toContain('cluster_state:ok'));
    await expect(node.call('MGET', 'a', 'b')).rejects.toThrow('CROSSSLOT');
    node.disconnect();
    subscriber = new Redis(server.url);
    client = new Cluster([server.url]);
    client.on('error', () => undefined);
  });
  afterAll(async () => {
    client.disconnect();
    subscriber.disconnect();
    await server.stop();
  });

  keyValueStoreSuite('redisStore on a cluster', () => redisStore(client, { timeoutMs: 5000 }));
  changeFeedSuite('redisFeed on a cluster', () => ({
    writer: redisFeed(client, { timeoutMs: 5000 }),
    reader: redisFeed(client, { timeoutMs: 5000, subscriber }),
  }));
});
