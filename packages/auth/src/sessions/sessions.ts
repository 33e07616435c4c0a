import {
  freezePrincipal,
  noEvents,
  option,
  optionConflict,
  readOptions,
  systemClock,
  systemRandom,
  toMs,
  type AuthenticationMethod,
  type Clock,
  type Duration,
  type Events,
  type Freshness,
  type Principal,
  type Random,
} from '@portcullis/core';
import { storeOption } from '../checked-store.js';
import { errors } from '../error-codes.js';
import type { SessionEnd } from '../events.js';
import type { AccessClaims } from '../tokens/claims.js';
import type { Tokens } from '../tokens/tokens.js';
import { createLeasedCache, type LeasedCache } from './leased-cache.js';
import {
  hashToken,
  isOfFamily,
  makeRefreshToken,
  openWith,
  parseRefreshToken,
  sameHash,
  sealUnder,
  type RefreshToken,
} from './refresh-token.js';
import {
  SESSION_TOPIC,
  type SenderBinding,
  type SessionActor,
  type SessionDetails,
  type SessionRecord,
  type SessionStore,
} from './session-store.js';

export interface SessionLifetimes {
  /** How long a refresh token may lie unused, which is how long a session may be idle. 1 min to 365 d. @default '1d' */
  readonly refreshTtl?: Duration;
  /** When a session ends whatever happens. 1 min to 400 d. @default '30d' (NIST SP 800-63B-4 section 2.1.3) */
  readonly absolute?: Duration;
  /** Live sessions per user, 1 to 1,000; with one more the longest unused one ends. @default 10 */
  readonly max?: number;
  /** How long a refresh token that has been exchanged still answers with the same pair. 0 to 5 min. @default '20s' */
  readonly grace?: Duration;
}

export interface SessionsOptions extends SessionLifetimes {
  readonly store: SessionStore;
  readonly tokens: Tokens;
  /**
   * Keeps live sessions in memory under this lease, so that most requests ask no store. The store must announce to the
   * same feed. @default none: every check asks the store
   */
  readonly freshness?: Freshness;
  /** Asked at every refresh; `false` ends all sessions of the user. @default nobody is inactive */
  readonly isActive?: (userId: string) => Promise<boolean>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

/** Where a request came from, for the list of sessions and for events. */
export interface ClientMeta {
  readonly ip?: string;
  readonly userAgent?: string;
  /** The key that the client has proven to hold. A session that began with one refreshes only with the same. */
  readonly binding?: SenderBinding;
}

/** What a client gets. Times in milliseconds since 1970. */
export interface TokenPair {
  readonly sessionId: string;
  readonly userId: string;
  readonly accessToken: string;
  readonly accessExpiresAt: number;
  readonly refreshToken: string;
  readonly refreshExpiresAt: number;
  /** How the access token is to be brought. */
  readonly tokenType: 'Bearer' | 'DPoP';
}

/** A session as its user may see it. */
export interface SessionInfo extends SessionDetails {
  readonly id: string;
  readonly userId: string;
  readonly createdAt: number;
  /** When its tokens were last renewed. */
  readonly lastUsedAt: number;
  readonly expiresAt: number;
}

export interface Sessions {
  /** True if nothing is kept of a session: see `createStatelessSessions()`. */
  readonly stateless: boolean;
  /** To be read before a credential is checked, for {@link Sessions.create}. */
  epoch(userId: string): Promise<number>;
  /**
   * Begins a session.
   * @throws E_SESSION_ENDED if all sessions of the user were ended since `epoch` was read
   */
  create(
    start: {
      readonly userId: string;
      readonly epoch: number;
      readonly methods?: readonly AuthenticationMethod[];
      readonly aal?: 1 | 2 | 3;
      /** Who acts for the user. Such a session ends none of the user's own, and with the session of the actor. */
      readonly actor?: SessionActor;
      /** Ends the session earlier than `absolute`, and if need be before an access token would end. */
      readonly lifetime?: Duration;
    },
    meta?: ClientMeta,
  ): Promise<TokenPair>;
  /**
   * Exchanges a refresh token for a new pair. Calls racing with one token, and retries within `grace`, receive the same
   * pair (one atomic swap stores the sealed successor). Outside it, an old token ends the whole session.
   * @throws E_TOKEN_INVALID | E_TOKEN_EXPIRED | E_TOKEN_REUSED | E_SESSION_ENDED (401)
   * @see RFC 9700 section 4.14, refresh token protection
   */
  refresh(refreshToken: unknown, meta?: ClientMeta): Promise<TokenPair>;
  /** The live session behind verified claims, as a principal. @throws E_SESSION_ENDED (401), 503 if it cannot be known */
  check(claims: AccessClaims): Promise<Principal>;
  /** Live sessions, the last used first. */
  list(userId: string): Promise<readonly SessionInfo[]>;
  /**
   * Ends one session of this user. Resolves when it is written; other processes follow within the lease (1,000 ms), and with
   * `strict` they have followed when it resolves.
   */
  revoke(userId: string, sessionId: string, reason?: SessionEnd, options?: EndOptions): Promise<boolean>;
  revokeOthers(userId: string, keep: string, reason?: SessionEnd, options?: EndOptions): Promise<number>;
  revokeAll(userId: string, reason?: SessionEnd, options?: EndOptions): Promise<number>;
  /** Ends the session that a refresh token belongs to, current or not. Without effect for anything else. */
  end(refreshToken: unknown): Promise<void>;
}

export interface EndOptions {
  /** Resolve only when no process can still act on the ended sessions: one lease later. @default false */
  readonly strict?: boolean;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/** @throws OptionError */
export function createSessions(options: SessionsOptions): Sessions {
  const settings = readOptions('createSessions', options, {
    store: storeOption<SessionStore>(['epoch', 'create', 'find', 'rotate', 'end', 'endAll', 'list']),
    tokens: option.port<Tokens>(['issue', 'verify']),
    freshness: option.optional(option.port<Freshness>(['current', 'ensure', 'changedAt', 'onChanges'])),
    isActive: option.fn<(userId: string) => Promise<boolean>>(async () => true),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
    refreshTtl: option.duration({ minMs: MINUTE, maxMs: 365 * DAY, default: '1d' }),
    absolute: option.duration({ minMs: MINUTE, maxMs: 400 * DAY, default: '30d' }),
    max: option.integer({ min: 1, max: 1_000, default: 10 }),
    grace: option.duration({ maxMs: 5 * MINUTE, default: '20s' }),
  });
  const { tokens, refreshTtl, absolute, grace } = settings;
  if (refreshTtl <= tokens.accessTtlMs) {
    optionConflict(
      'createSessions',
      'refreshTtl',
      'refreshTtl must be longer than the lifetime of an access token',
    );
  }
  if (absolute < refreshTtl)
    optionConflict('createSessions', 'absolute', 'absolute must be at least refreshTtl');
  if (grace >= refreshTtl) optionConflict('createSessions', 'grace', 'grace must be shorter than refreshTtl');
  return new StoredSessions(settings);
}

type Settings = Required<{ readonly [K in keyof SessionsOptions]: unknown }> & {
  readonly store: SessionStore;
  readonly tokens: Tokens;
  readonly freshness: Freshness | undefined;
  readonly isActive: (userId: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly refreshTtl: number;
  readonly absolute: number;
  readonly max: number;
  readonly grace: number;
};

class StoredSessions implements Sessions {
  readonly stateless = false;
  readonly #settings: Settings;
  readonly #cache: LeasedCache<Live>;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { store, freshness, clock } = settings;
    this.#cache = createLeasedCache({
      topic: SESSION_TOPIC,
      freshness,
      clock,
      async load(userId, id) {
        const session = await store.find(id);
        return session?.userId === userId ? toLive(session) : undefined;
      },
    });
  }

  epoch(userId: string): Promise<number> {
    return this.#settings.store.epoch(userId);
  }

  async create(start: Parameters<Sessions['create']>[0], meta: ClientMeta = {}): Promise<TokenPair> {
    const { store, clock, random, absolute, max, events } = this.#settings;
    const now = clock.now();
    const { userId, epoch, methods = [], aal = 1, actor, lifetime } = start;
    const id = random.uuid();
    const tagKey = random.bytes(32).toString('base64url');
    const family = {
      id,
      userId,
      createdAt: now,
      expiresAt: now + (lifetime === undefined ? absolute : toMs(lifetime)!),
      tagKey,
    };
    const { binding } = meta;
    const details = describe(
      { methods, aal, authenticatedAt: now, ...(binding && { binding }), ...(actor && { actor }) },
      meta,
    );
    const { pair, tokens } = this.#nextPair({ ...family, details }, 0, now);
    const creation = await store.create(
      {
        ...family,
        ...tokens,
        previous: null,
        sealed: null,
        details,
      },
      // Who acts for somebody must not end that person's own sessions by it.
      { epoch, max: actor ? Number.MAX_SAFE_INTEGER : max },
    );
    if (!creation.created) throw ended();
    if (creation.ended.length > 0) {
      events.emit({
        type: 'auth.session-revoked',
        userId,
        sessionIds: creation.ended,
        reason: 'too-many-sessions',
      });
    }
    return pair;
  }

  async refresh(refreshToken: unknown, meta: ClientMeta = {}): Promise<TokenPair> {
    const { store, clock, isActive, random, events } = this.#settings;
    const token = parseRefreshToken(refreshToken);
    if (!token) throw errors.E_TOKEN_INVALID({ details: { fault: 'not-a-refresh-token' } });
    const hash = hashToken(token.text);

    let session = await store.find(token.sessionId);
    // Without the key a copy is worth nothing: no reason to end the session either.
    if (session?.details.binding && session.details.binding.jkt !== meta.binding?.jkt)
      throw errors.E_TOKEN_INVALID({ details: { fault: 'claim-cnf' } });
    if (session && sameHash(hash, session.current)) {
      const now = clock.now();
      if (now >= session.expiresAt) throw await this.#expire(session, ended());
      if (now >= session.idleExpiresAt) throw await this.#expire(session, errors.E_TOKEN_EXPIRED());
      if (!(await isActive(session.userId))) {
        await this.revokeAll(session.userId, 'deactivated');
        throw ended();
      }
      await this.#assertActor(session.details.actor);
      const { pair, tokens } = this.#nextPair(session, session.generation + 1, now);
      const rotation = {
        ...tokens,
        previous: session.current,
        sealed: sealUnder(token, pair, random),
        details: describe(session.details, meta),
      };
      if (await store.rotate(session.id, session.current, rotation)) {
        events.emit({
          type: 'auth.refreshed',
          userId: session.userId,
          sessionId: session.id,
          replayed: false,
        });
        return pair;
      }
      // Lost to another call with the same token, or the session has ended: see what stands there now.
      session = await store.find(token.sessionId);
    }
    if (!session) throw ended();
    return this.#successorOf(token, hash, session, meta);
  }

  async check(claims: AccessClaims): Promise<Principal> {
    const entry =
      claims.sid !== undefined && isUuid(claims.sid)
        ? await this.#cache.find(claims.sub, claims.sid)
        : undefined;
    if (!entry || this.#settings.clock.now() >= entry.expiresAt) throw ended();
    await this.#assertActor(entry.actor);
    return entry.principal;
  }

  /** Who acts for another does so only as long as they are signed in themselves. */
  async #assertActor(actor: SessionActor | undefined): Promise<void> {
    if (!actor) return;
    const own = await this.#cache.find(actor.id, actor.sessionId);
    if (!own || own.actor || this.#settings.clock.now() >= own.expiresAt) throw ended();
  }

  async list(userId: string): Promise<readonly SessionInfo[]> {
    const now = this.#settings.clock.now();
    const all = await this.#settings.store.list(userId);
    return all
      .filter((session) => now < session.idleExpiresAt)
      .toSorted((a, b) => b.rotatedAt - a.rotatedAt)
      .map(({ id, createdAt, rotatedAt, expiresAt, details }) => ({
        ...details,
        id,
        userId,
        createdAt,
        lastUsedAt: rotatedAt,
        expiresAt,
      }));
  }

  async revoke(
    userId: string,
    sessionId: string,
    reason: SessionEnd = 'revoked',
    { strict = false }: EndOptions = {},
  ): Promise<boolean> {
    const { store, events, freshness } = this.#settings;
    if (!isUuid(sessionId)) return false;
    const found = await store.end(sessionId, userId);
    this.#cache.forget(userId);
    if (strict) await freshness?.settled();
    if (found && reason === 'signed-out') events.emit({ type: 'auth.signed-out', userId, sessionId });
    else if (found) events.emit({ type: 'auth.session-revoked', userId, sessionIds: [sessionId], reason });
    return found;
  }

  revokeOthers(
    userId: string,
    keep: string,
    reason: SessionEnd = 'revoked',
    options: EndOptions = {},
  ): Promise<number> {
    return this.#revokeMany(userId, reason, options, keep);
  }

  revokeAll(userId: string, reason: SessionEnd = 'revoked', options: EndOptions = {}): Promise<number> {
    return this.#revokeMany(userId, reason, options);
  }

  async end(refreshToken: unknown): Promise<void> {
    const token = parseRefreshToken(refreshToken);
    const session = token && (await this.#settings.store.find(token.sessionId));
    if (!session || !isOfFamily(token, session.tagKey)) return;
    await this.#signOut(session);
  }

  async #signOut(session: SessionRecord): Promise<void> {
    const { id, userId } = session;
    await this.#settings.store.end(id, userId);
    this.#cache.forget(userId);
    this.#settings.events.emit({ type: 'auth.signed-out', userId, sessionId: id });
  }

  /** What a refresh token that is not the current one is worth. */
  async #successorOf(
    token: RefreshToken,
    hash: string,
    session: SessionRecord,
    meta: ClientMeta,
  ): Promise<TokenPair> {
    const { clock, grace, events, store } = this.#settings;
    const { id, userId } = session;
    if (
      session.sealed !== null &&
      sameHash(hash, session.previous) &&
      clock.now() - session.rotatedAt <= grace
    ) {
      events.emit({ type: 'auth.refreshed', userId, sessionId: id, replayed: true });
      return openWith(token, session.sealed) as TokenPair;
    }
    // Invented by somebody who knows the id of a session: no reason to end it.
    if (!isOfFamily(token, session.tagKey))
      throw errors.E_TOKEN_INVALID({ details: { fault: 'not-of-this-session' } });
    // Told before the end is written: if that fails, the theft is known all the same.
    events.emit({
      type: 'auth.token-reused',
      userId,
      sessionId: id,
      ...(meta.ip !== undefined && { ip: meta.ip }),
    });
    const wasLive = await store.end(id, userId);
    this.#cache.forget(userId);
    if (wasLive)
      events.emit({ type: 'auth.session-revoked', userId, sessionIds: [id], reason: 'token-reused' });
    throw errors.E_TOKEN_REUSED({ details: { sessionId: id, generation: token.generation } });
  }

  async #revokeMany(
    userId: string,
    reason: SessionEnd,
    { strict = false }: EndOptions,
    keep?: string,
  ): Promise<number> {
    const { store, events, freshness } = this.#settings;
    const sessionIds = await store.endAll(userId, keep);
    this.#cache.forget(userId);
    if (strict) await freshness?.settled();
    if (sessionIds.length > 0) events.emit({ type: 'auth.session-revoked', userId, sessionIds, reason });
    return sessionIds.length;
  }

  async #expire(session: SessionRecord, error: Error): Promise<Error> {
    await this.#settings.store.end(session.id, session.userId);
    return error;
  }

  #nextPair(
    family: Pick<SessionRecord, 'id' | 'userId' | 'expiresAt' | 'tagKey' | 'details'>,
    generation: number,
    now: number,
  ): {
    pair: TokenPair;
    tokens: Pick<SessionRecord, 'rotatedAt' | 'idleExpiresAt' | 'generation' | 'current'>;
  } {
    const { tokens, random, refreshTtl } = this.#settings;
    const { id, userId, tagKey, expiresAt, details } = family;
    const { binding, actor } = details;
    const access = tokens.issue(
      { userId, sessionId: id },
      // RFC 8693 section 4.1.
      { ...(binding && { cnf: binding }), ...(actor && { act: { sub: actor.id } }) },
      expiresAt,
    );
    const refreshToken = makeRefreshToken({ sessionId: id, generation, tagKey }, random);
    const idleExpiresAt = Math.min(now + refreshTtl, expiresAt);
    return {
      pair: {
        sessionId: id,
        userId,
        accessToken: access.token,
        accessExpiresAt: access.expiresAt,
        refreshToken,
        refreshExpiresAt: idleExpiresAt,
        tokenType: binding ? 'DPoP' : 'Bearer',
      },
      tokens: { rotatedAt: now, idleExpiresAt, generation, current: hashToken(refreshToken) },
    };
  }
}

/** Long texts of the client's making are cut: they are kept for people to recognise a device by. */
function describe(base: SessionDetails, { ip, userAgent }: ClientMeta): SessionDetails {
  return {
    ...base,
    ...(ip !== undefined && { address: ip }),
    ...(userAgent !== undefined && {
      userAgent: userAgent.toWellFormed().replaceAll('\0', '').slice(0, 256),
    }),
  };
}

interface Live {
  readonly principal: Principal;
  readonly expiresAt: number;
  readonly actor: SessionActor | undefined;
}

function toLive(session: SessionRecord): Live {
  const { methods, aal, authenticatedAt, actor } = session.details;
  const principal = freezePrincipal({
    id: session.userId,
    kind: 'user',
    sessionId: session.id,
    methods,
    aal,
    authenticatedAt,
    ...(actor && { actor: { id: actor.id } }),
  });
  return { principal, expiresAt: session.expiresAt, actor };
}

function ended(): Error {
  return errors.E_SESSION_ENDED({ headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } });
}

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
