import { option, readOptions, toMs, type Duration, type Events, type Principal } from '@portcullis/core';
import { errors } from './error-codes.js';
import { clientMeta, type RequestMeta } from './flows/flows.js';
import { inputFault } from './flows/input.js';
import type { Sessions, TokenPair } from './sessions/sessions.js';
import type { AuthUser, UserPort } from './users.js';

export interface ImpersonationOptions {
  /** Whether this actor may act for this account. Only `true` is a yes. */
  readonly allow: (actor: Principal, user: AuthUser) => boolean | Promise<boolean>;
  /** Awaited before it begins, for a log that must not miss it; if it rejects, nothing begins. */
  readonly record: (fact: ImpersonationFact) => Promise<unknown>;
  /** Longest time, 1 min to 4 h. @default '1h' */
  readonly maxTtl?: Duration;
}

export interface ImpersonationFact {
  readonly actorId: string;
  readonly userId: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface ImpersonationRequest {
  /** Why, for the log: 1 to 500 characters. */
  readonly reason: string;
  /** @default '15m' */
  readonly ttl?: Duration;
}

export type Impersonate = (
  actor: Principal,
  userId: string,
  request: ImpersonationRequest,
  meta: RequestMeta,
) => Promise<TokenPair>;

export interface ImpersonationDeps {
  readonly users: UserPort;
  readonly sessions: Sessions;
  readonly events: Events;
  readonly now: () => number;
}

/**
 * Acting for somebody else, with both names on everything: a session of the user that carries the actor (`act`, RFC 8693 section 4.1), ends
 * after minutes and with the actor's own session, and changes no credential.
 * @throws OptionError
 */
export function createImpersonation(options: ImpersonationOptions, deps: ImpersonationDeps): Impersonate {
  const { allow, record, maxTtl } = readOptions('impersonation', options, {
    allow: option.fn<ImpersonationOptions['allow']>(),
    record: option.fn<ImpersonationOptions['record']>(),
    maxTtl: option.duration({ minMs: 60_000, maxMs: 4 * 3_600_000, default: '1h' }),
  });
  const { users, sessions, events, now } = deps;
  const refuse = (reason: string): Error => errors.E_IMPERSONATION_REFUSED({ details: { reason } });

  return async (actor, userId, { reason, ttl = '15m' }, meta) => {
    const why: unknown = reason;
    const text = typeof why === 'string' ? why.trim() : '';
    if (text === '' || text.length > 500)
      throw inputFault({ pointer: '/reason', keyword: 'length', message: 'must have 1 to 500 characters' });
    const lifetime = toMs(ttl);
    if (lifetime === undefined || lifetime < 1_000 || lifetime > maxTtl)
      throw inputFault({
        pointer: '/ttl',
        keyword: 'range',
        message: `must be 1 second to ${maxTtl / 60_000} minutes`,
      });
    // A person who is signed in, as themselves: no key, no chain of people acting for people.
    if (actor.kind !== 'user' || actor.sessionId === undefined || actor.actor) throw refuse('actor');
    if (actor.id === userId) throw refuse('self');
    // Read before it is allowed: if all sessions of the user are ended meanwhile, this one does not begin.
    const epoch = await sessions.epoch(userId);
    const user = await users.findById(userId);
    if (!user?.active) throw refuse('user');
    const allowed: unknown = await allow(actor, user);
    if (allowed !== true) throw refuse('not-allowed');
    const expiresAt = now() + lifetime;
    await record({ actorId: actor.id, userId, reason: text, expiresAt });
    const pair = await sessions.create(
      { userId, epoch, actor: { id: actor.id, sessionId: actor.sessionId }, lifetime },
      clientMeta(meta),
    );
    events.emit({
      type: 'auth.impersonation-started',
      userId,
      actorId: actor.id,
      sessionId: pair.sessionId,
      expiresAt,
    });
    return pair;
  };
}
