import { storeKey, type KeyValueStore, type Principal } from '@portcullis/core';
import { errors } from './error-codes.js';
import type { Facts } from './facts.js';
import type { UserEntry } from './judge.js';
import { UNPACKED } from './packed-roles.js';
import type { CompiledPolicy } from './policy.js';

/** As long as any session lives that nobody uses. */
const TTL_MS = 24 * 3_600_000;

/**
 * Dynamic separation of duties (INCITS 359): of roles that must not be used in one session none counts until the session has
 * activated it, and then the others cannot be activated there until it is dropped. Kept in a store that all processes share.
 */
export class Activations {
  readonly #store: KeyValueStore;
  readonly #sets: readonly (readonly string[])[];

  constructor(store: KeyValueStore, sets: readonly (readonly string[])[]) {
    this.#store = store;
    this.#sets = sets;
  }

  /** Has the user any role that has to be activated? */
  concerns(policy: CompiledPolicy, entry: UserEntry): boolean {
    return entry.roles.some((id) => this.#sets.some((set) => set.some((role) => includes(policy, id, role))));
  }

  /** The facts without what is not activated in the principal's session. */
  async narrow(facts: Facts, { sessionId }: Principal): Promise<Facts> {
    const { policy, entry } = facts;
    if (!this.concerns(policy, entry)) return facts;
    const activeOf = async (set: readonly string[]): Promise<string | undefined> =>
      sessionId === undefined ? undefined : this.#store.get(keyOf(sessionId, set));
    const active = await Promise.all(this.#sets.map(activeOf));
    const kept = entry.roles
      .map((_, i) => i)
      .filter((i) =>
        this.#sets.every((set, s) =>
          set.every((role) => role === active[s] || !includes(policy, entry.roles[i]!, role)),
        ),
      );
    return {
      ...facts,
      entry: {
        ...entry,
        ...UNPACKED,
        roles: kept.map((i) => entry.roles[i]!),
        bounds: entry.bounds && kept.map((i) => entry.bounds![i]),
      },
    };
  }

  /** @throws E_DUTY_CONFLICT if another role of a set is active in the session, or there is no session */
  async activate({ sessionId }: Principal, role: string): Promise<void> {
    for (const set of this.#setsOf(role)) {
      if (sessionId === undefined)
        throw errors.E_DUTY_CONFLICT({ message: 'Without a session no role can be activated.' });
      const key = keyOf(sessionId, set);
      if (await this.#store.swap(key, undefined, role, { ttlMs: TTL_MS })) continue;
      const active = await this.#store.get(key);
      if (active === role) continue;
      throw errors.E_DUTY_CONFLICT({
        message: `In this session ${active ?? 'another role'} is active; drop it first.`,
      });
    }
  }

  async drop({ sessionId }: Principal, role: string): Promise<void> {
    if (sessionId === undefined) return;
    for (const set of this.#setsOf(role)) {
      const key = keyOf(sessionId, set);
      if ((await this.#store.get(key)) === role) await this.#store.delete(key);
    }
  }

  #setsOf(role: string): readonly (readonly string[])[] {
    const sets = this.#sets.filter((set) => set.includes(role));
    if (sets.length === 0) throw errors.E_ROLE_UNKNOWN({ message: 'No dynamic separation names this role.' });
    return sets;
  }
}

function includes(policy: CompiledPolicy, id: number, role: string): boolean {
  const wanted = policy.ids.find(role);
  return wanted !== undefined && policy.names[id] !== undefined && policy.includes.has(id, wanted);
}

function keyOf(sessionId: string, set: readonly string[]): ReturnType<typeof storeKey> {
  return storeKey('rbac-active', sessionId, [...set].sort().join(' '));
}
