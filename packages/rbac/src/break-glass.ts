import type { Clock, Events, Principal } from '@portcullis/core';
import type { Administration } from './administration.js';
import { errors } from './error-codes.js';

interface Deps {
  /** The role, and for how long at most; undefined if there is none. */
  readonly glass: { readonly role: string; readonly maxMs: number } | undefined;
  readonly clock: Clock;
  readonly events: Events;
  readonly need: (principal: Principal, permission: string) => Promise<unknown>;
  readonly administration: Pick<Administration<string, string>, 'grantRole' | 'rolesOf'>;
}

/** Emergency access: a role that ends by itself, for who may break the glass and says why. @throws E_BREAK_GLASS */
export async function breakGlass(
  { glass, clock, events, need, administration }: Deps,
  principal: Principal,
  about: { readonly reason: string; readonly forMs: number },
): Promise<{ readonly revision: number; readonly until: number }> {
  if (!glass) throw errors.E_BREAK_GLASS({ message: 'There is no role for emergencies.' });
  const { reason, forMs } = (about ?? {}) as Partial<typeof about>;
  if (typeof reason !== 'string' || reason.trim().length < 10) {
    throw errors.E_BREAK_GLASS({ message: 'Say why, in at least ten characters: people will read it.' });
  }
  if (!(typeof forMs === 'number' && Number.isInteger(forMs) && forMs >= 1 && forMs <= glass.maxMs)) {
    throw errors.E_BREAK_GLASS({ message: `Emergency access ends after at most ${glass.maxMs} ms.` });
  }
  await need(principal, 'rbac:break-glass');
  const until = clock.now() + forMs;
  const place = principal.tenant === undefined ? {} : { tenant: principal.tenant };
  // There is one grant of a role to somebody in a place: emergency access must not end what was given for longer.
  const standing = (await administration.rolesOf(principal.id)).find(
    ({ role, tenant }) => role === glass.role && tenant === principal.tenant,
  );
  if (standing && (standing.until ?? Infinity) >= until) {
    throw errors.E_BREAK_GLASS({
      message: `The role ${glass.role} is granted already, for at least as long.`,
    });
  }
  const { revision } = await administration.grantRole(principal, principal.id, glass.role, {
    ...place,
    until,
    reason,
  });
  events.emit({
    type: 'rbac.glass-broken',
    userId: principal.id,
    role: glass.role,
    reason,
    until,
    revision,
  });
  return { revision, until };
}
