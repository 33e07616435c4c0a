import {
  freezePrincipal,
  noEvents,
  option,
  readOptions,
  systemClock,
  systemRandom,
  toMs,
  type Clock,
  type Duration,
  type Events,
  type Freshness,
  type Principal,
  type Random,
} from '@portcullis/core';
import { storeOption } from '../checked-store.js';
import { errors } from '../error-codes.js';
import { inputFault, type Fault } from '../flows/input.js';
import { createLeasedCache } from '../sessions/leased-cache.js';
import { hashToken, sameHash } from '../sessions/refresh-token.js';
import type { EndOptions } from '../sessions/sessions.js';
import { isUuid } from '../sessions/sessions.js';
import { refusalOf } from '../tokens/token-errors.js';
import { makeApiKey, parseApiKey, apiKeyPattern } from './api-key.js';
import { API_KEY_TOPIC, type ApiKeyRecord, type ApiKeyStore } from './api-key-store.js';

export interface ApiKeysOptions {
  /** Of every key: short, and yours alone, so that a key that turns up somewhere is recognised. Lower-case letters and digits, 2 to 12. */
  readonly prefix: string;
  readonly store: ApiKeyStore;
  /** Longest lifetime, 1 h to 400 d. @default '365d' */
  readonly maxTtl?: Duration;
  /** Live keys of one owner, 1 to 1,000. @default 20 */
  readonly max?: number;
  /** Scopes that may be given. @default any of the form `resource:action` */
  readonly scopes?: readonly string[];
  /** Keeps live keys in memory under this lease. @default none: every check asks the store */
  readonly freshness?: Freshness;
  /** Whether the owner of a key still is somebody. @default nobody is inactive */
  readonly isActive?: (ownerId: string) => Promise<boolean>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

/** A key as its owner may see it. */
export type ApiKeyInfo = Omit<ApiKeyRecord, 'hash'>;

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly string[];
  /** @default '90d' */
  readonly expiresIn?: Duration;
}

export interface ApiKeys {
  /** What a key looks like, for secret scanners. */
  readonly pattern: RegExp;
  /**
   * Makes a key that acts for its owner within `scopes`. The key itself is shown this once; only its hash is kept.
   * @throws E_VALIDATION (400), E_API_KEY_LIMIT (409), E_SESSION_ENDED (401) if the owner has been deactivated meanwhile
   */
  create(ownerId: string, key: NewApiKey): Promise<{ readonly key: string; readonly info: ApiKeyInfo }>;
  /** True for what says that it is a key of ours; nothing of it has been verified. */
  recognises(text: string): boolean;
  /** The owner as a principal of kind `api-key`, narrowed by the scopes. @throws E_TOKEN_INVALID | E_TOKEN_EXPIRED (401), 503 */
  check(text: string): Promise<Principal>;
  list(ownerId: string): Promise<readonly ApiKeyInfo[]>;
  revoke(ownerId: string, id: string, options?: EndOptions): Promise<boolean>;
  revokeAll(ownerId: string, options?: EndOptions): Promise<number>;
}

const DAY = 86_400_000;
const SCOPE = /^[a-z][a-z0-9-]*(?::[a-z0-9-]+){1,3}$/;
/** Uses are noted to the minute: a busy key does not become a write for each request. */
const TOUCH_EVERY_MS = 60_000;
const MAX_TOUCHED = 10_000;

interface Live {
  readonly principal: Principal;
  readonly hash: string;
  readonly expiresAt: number;
}

/** @throws OptionError */
export function createApiKeys(options: ApiKeysOptions): ApiKeys {
  const { prefix, store, maxTtl, max, scopes, freshness, isActive, clock, random, events } = readOptions(
    'createApiKeys',
    options,
    {
      prefix: option.string({ min: 2, max: 12, pattern: /^[a-z][a-z0-9]*$/ }),
      store: storeOption<ApiKeyStore>(['add', 'find', 'list', 'end', 'endAll', 'touch']),
      maxTtl: option.duration({ minMs: 3_600_000, maxMs: 400 * DAY, default: '365d' }),
      max: option.integer({ min: 1, max: 1_000, default: 20 }),
      scopes: option.optional(
        option.array(option.string({ max: 64, pattern: SCOPE }), { min: 1, max: 1_000 }),
      ),
      freshness: option.optional(option.port<Freshness>(['current', 'ensure', 'changedAt', 'onChanges'])),
      isActive: option.fn<(ownerId: string) => Promise<boolean>>(async () => true),
      clock: option.port<Clock>(['now', 'monotonic'], systemClock),
      random: option.port<Random>(['bytes', 'uuid'], systemRandom),
      events: option.port<Events>(['emit'], noEvents),
    },
  );
  const known = scopes && new Set(scopes);
  const touched = new Map<string, number>();
  const cache = createLeasedCache<Live>({
    topic: API_KEY_TOPIC,
    freshness,
    clock,
    async load(_subject, id) {
      const record = await store.find(id);
      if (!record || !(await isActive(record.ownerId))) return undefined;
      const { ownerId, hash, expiresAt } = record;
      const principal = freezePrincipal({
        id: ownerId,
        kind: 'api-key',
        clientId: id,
        scopes: record.scopes,
      });
      return { principal, hash, expiresAt };
    },
  });

  function noteUse(id: string): void {
    const now = clock.now();
    if (now - (touched.get(id) ?? Number.NEGATIVE_INFINITY) < TOUCH_EVERY_MS) return;
    if (touched.size >= MAX_TOUCHED) touched.delete(touched.keys().next().value!);
    touched.set(id, now);
    // That a use could not be noted is no reason to refuse it.
    store.touch(id, now).catch(() => touched.delete(id));
  }

  function judged({ name, scopes: asked, expiresIn = '90d' }: NewApiKey): {
    name: string;
    scopes: string[];
    ttlMs: number;
  } {
    const faults: Fault[] = [];
    const given: unknown = name;
    const text = typeof given === 'string' ? given.trim() : '';
    if (text === '' || text.length > 100)
      faults.push({ pointer: '/name', keyword: 'length', message: 'must have 1 to 100 characters' });
    const list: unknown = asked;
    const isList =
      Array.isArray(list) && list.length > 0 && list.length <= 100 && new Set(list).size === list.length;
    const taken = (scope: unknown) =>
      typeof scope === 'string' && scope.length <= 64 && (known ? known.has(scope) : SCOPE.test(scope));
    if (!isList || !list.every(taken))
      faults.push({ pointer: '/scopes', keyword: 'enum', message: 'must be a list of known scopes' });
    const ttlMs = toMs(expiresIn);
    if (ttlMs === undefined || ttlMs < 60_000 || ttlMs > maxTtl)
      faults.push({
        pointer: '/expires_in',
        keyword: 'range',
        message: `must be 1 minute to ${Math.floor(maxTtl / DAY)} days`,
      });
    if (faults.length > 0) throw inputFault(...faults);
    return { name: text, scopes: [...asked], ttlMs: ttlMs! };
  }

  return {
    pattern: apiKeyPattern(prefix),
    recognises: (text) => text.startsWith(`${prefix}_`),

    async create(ownerId, wanted) {
      const { name, scopes: granted, ttlMs } = judged(wanted);
      const { id, text } = makeApiKey(prefix, random);
      const now = clock.now();
      const info: ApiKeyInfo = {
        id,
        ownerId,
        name,
        scopes: granted,
        createdAt: now,
        expiresAt: now + ttlMs,
        lastUsedAt: null,
      };
      if (!(await store.add({ ...info, hash: hashToken(text) }, max))) throw errors.E_API_KEY_LIMIT();
      // Who was deactivated while this went on has no key left.
      if (!(await isActive(ownerId))) {
        await store.end(id, ownerId);
        throw errors.E_SESSION_ENDED();
      }
      events.emit({ type: 'auth.api-key-created', userId: ownerId, keyId: id, scopes: granted });
      return { key: text, info };
    },

    async check(text) {
      const parts = parseApiKey(prefix, text);
      if (!parts) throw refusalOf('api-key');
      const live = await cache.find(parts.id, parts.id);
      if (!live || !sameHash(hashToken(text), live.hash)) throw refusalOf('api-key');
      if (clock.now() >= live.expiresAt) throw refusalOf('expired');
      noteUse(parts.id);
      return live.principal;
    },

    async list(ownerId) {
      const now = clock.now();
      return (await store.list(ownerId))
        .filter(({ expiresAt }) => now < expiresAt)
        .toSorted((a, b) => b.createdAt - a.createdAt)
        .map(({ hash: _kept, ...info }) => info);
    },

    async revoke(ownerId, id, { strict = false } = {}) {
      if (!isUuid(id)) return false;
      const ended = await store.end(id, ownerId);
      cache.forget(id);
      if (strict) await freshness?.settled();
      if (ended) events.emit({ type: 'auth.api-key-revoked', userId: ownerId, keyIds: [id] });
      return ended;
    },

    async revokeAll(ownerId, { strict = false } = {}) {
      const ids = await store.endAll(ownerId);
      for (const id of ids) cache.forget(id);
      if (strict) await freshness?.settled();
      if (ids.length > 0) events.emit({ type: 'auth.api-key-revoked', userId: ownerId, keyIds: ids });
      return ids.length;
    },
  };
}
