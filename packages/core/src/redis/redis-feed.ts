import type { Change, ChangeFeed, ChangesRead } from '../change-feed.js';
import { checkChanges } from '../changes.js';
import type { Duration } from '../duration.js';
import { noEvents, type Events } from '../events.js';
import type { CallOptions } from '../key-value-store.js';
import { Listeners } from '../listeners.js';
import { option, optionConflict, readOptions } from '../options.js';
import type { SqlTransaction } from '../sql.js';
import { lua, RedisCaller } from './redis-caller.js';
import { PREFIX } from './redis-store.js';
import type { RedisClientLike, RedisSubscriberLike } from './redis-types.js';

export interface RedisFeedOptions {
  /** A connection of its own for hints, such as `client.duplicate()`. Without one, changes wait for the next poll. */
  readonly subscriber?: RedisSubscriberLike;
  /** As of the store. @default 'portcullis:' */
  readonly prefix?: string;
  /** Longest time for a call, 1 ms to 60 s. @default 250 */
  readonly timeoutMs?: Duration;
  /** How many changes are kept, 100 to 1,000,000; a reader further behind drops all its caches. @default 10_000 */
  readonly history?: number;
  readonly events?: Events;
}

/**
 * The log of changes in a Redis stream: for facts that are kept in Redis, or in a store without a log of its own.
 * Weaker than {@link postgresFeed}, because change and fact are not written in one transaction: write the fact first,
 * then publish, and treat a rejected publish as a revoke that has not happened yet: try again.
 *
 * **Bound.** `publish` rejects unless Redis has written the change. Every process then acts on it within the lease, also
 * when Redis is paused, restarted, flushed, or restored from a snapshot that its readers had already passed.
 * **Exceptions.** A change that was acknowledged and not yet read by a process (normally milliseconds, at most `pollMs`)
 * is lost to that process if Redis fails over to a replica that lacks it, or restarts from an older snapshot. A writer
 * that is cut off from Redis cannot publish at all. Give cached facts an end of their own (such as 30 s) for these.
 */
export function redisFeed(client: RedisClientLike, options: RedisFeedOptions = {}): ChangeFeed {
  const { subscriber, prefix, timeoutMs, history, events } = readOptions('redisFeed', options, {
    subscriber: option.optional(
      option.port<RedisSubscriberLike>(['subscribe', 'unsubscribe', 'on', 'removeListener']),
    ),
    prefix: option.string({ min: 0, max: 128, pattern: PREFIX, default: 'portcullis:' }),
    timeoutMs: option.duration({ minMs: 1, maxMs: 60_000, default: 250 }),
    history: option.integer({ min: 100, max: 1_000_000, default: 10_000 }),
    events: option.port<Events>(['emit'], noEvents),
  });
  option.port<RedisClientLike>(['call'])(client, 'redisFeed', 'client');
  return new RedisFeed(new RedisCaller(client, timeoutMs, events), subscriber, prefix, history);
}

const MAX_READ = 5000;

// Ids are `revision-place`; a revision is the server's time in microseconds, at least one more than the last (or than
// `above`). So a stream that was lost or went back never uses one again.
const NEXT = `
local function head()
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^(%d+)-'))
end
local function nextRevision(above)
  local time = redis.call('TIME')
  return math.max(time[1] * 1000000 + time[2], above + 1)
end
local function append(revision, place, topic, subject)
  local id = string.format('%.0f-%d', revision, place)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], id, 't', topic, 's', subject)
end`;

const PUBLISH = lua(`${NEXT}
local revision = nextRevision(head() or 0)
for i = 3, #ARGV, 2 do append(revision, (i - 1) / 2, ARGV[i], ARGV[i + 1]) end
redis.call('PUBLISH', ARGV[2], '')
return string.format('%.0f', revision)`);

const READ = lua(`${NEXT}
local newest = head()
if not newest then
  newest = nextRevision(tonumber(ARGV[2]) or 0)
  append(newest, 0, '', '')
end
local function answer(kind, entries) return {kind, string.format('%.0f', newest), entries or {}} end
if ARGV[2] == '' then return answer('start') end
local position = tonumber(ARGV[2])
if #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2], 'COUNT', 1) == 0 then
  if newest <= position then
    newest = nextRevision(math.max(newest, position))
    append(newest, 0, '', '')
  end
  return answer('reset')
end
local entries = redis.call('XRANGE', KEYS[1], string.format('%.0f', position + 1), '+', 'COUNT', ARGV[3] + 1)
if #entries > tonumber(ARGV[3]) then return answer('reset') end
return answer('changes', entries)`);

type ReadReply = readonly [
  kind: 'start' | 'reset' | 'changes',
  revision: string,
  entries: readonly (readonly [id: string, fields: readonly string[]])[],
];

class RedisFeed implements ChangeFeed {
  readonly synchronous = false;
  readonly #redis: RedisCaller;
  readonly #subscriber: RedisSubscriberLike | undefined;
  readonly #key: string;
  readonly #channel: string;
  readonly #history: number;
  readonly #hints = new Listeners<void>();
  readonly #onMessage = (channel: string): void => {
    if (channel === this.#channel) this.#hint();
  };
  readonly #onReady = (): void => this.#hint();
  #subscribed = false;

  constructor(
    redis: RedisCaller,
    subscriber: RedisSubscriberLike | undefined,
    prefix: string,
    history: number,
  ) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#key = `${prefix}feed`;
    this.#channel = `${prefix}feed`;
    this.#history = history;
  }

  async publish(changes: readonly Change[], tx?: SqlTransaction): Promise<number> {
    if (tx) {
      optionConflict(
        'redisFeed',
        'tx',
        'a feed in Redis cannot publish within a database transaction; use postgresFeed',
      );
    }
    const checked = checkChanges(changes);
    if (checked.length === 0) return (await this.readSince(undefined)).revision;
    const args = [this.#history, this.#channel, ...checked.flatMap(({ topic, subject }) => [topic, subject])];
    const revision = Number(await this.#redis.script('feed.publish', undefined, PUBLISH, [this.#key], args));
    this.#hint();
    return revision;
  }

  async readSince(revision: number | undefined, options: CallOptions = {}): Promise<ChangesRead> {
    const args = [this.#history, revision === undefined ? '' : String(revision), MAX_READ];
    const reply = await this.#redis.script('feed.read', options.deadlineMs, READ, [this.#key], args);
    const [kind, newest, entries] = reply as ReadReply;
    const changes = entries
      .map(([id, fields]) => ({ topic: fields[1]!, subject: fields[3]!, revision: Number(id.split('-')[0]) }))
      .filter((change) => change.topic !== '');
    return { revision: Number(newest), changes, reset: kind === 'reset' };
  }

  onHint(fn: () => void): () => void {
    if (this.#subscriber && !this.#subscribed) {
      this.#subscribed = true;
      this.#subscriber.on('message', this.#onMessage);
      // After a reconnection something may have been missed.
      this.#subscriber.on('ready', this.#onReady);
      this.#subscriber.subscribe(this.#channel).catch(() => undefined);
    }
    return this.#hints.add(fn);
  }

  onChange(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    if (!this.#subscriber || !this.#subscribed) return;
    this.#subscribed = false;
    this.#subscriber.removeListener('message', this.#onMessage);
    this.#subscriber.removeListener('ready', this.#onReady);
    // A connection that is down forgets the subscription by itself; waiting for it could take for ever.
    void this.#subscriber.unsubscribe(this.#channel).catch(() => undefined);
  }

  #hint(): void {
    try {
      this.#hints.deliver();
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}
