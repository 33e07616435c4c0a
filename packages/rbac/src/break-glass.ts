import type { Clock, Events, Principal } from '@portcullis/core';
import type { Administration } from './administration.js';
import { errors } from './error-codes.js';

interface Deps {
  /** The role, and for how long at most; undefined if there is none. */
  readonly glass: { readonly role: string; readonly maxMs: number } | undefined;
  readonly clock: Clock;
  readonly events: Events;
  readonly need: (principal: Principal, permission: string) => Promise<unknown>;
  readonly administration: Pick<Administration<string, string>, 'grantRole'>;
}

/** Emergency access: a role that ends by itself, for who may break the glass and says why. @throws E_BREAK_GLASS */
export async function breakGlass(
  { glass, clock, events, need, administration }: Deps,
  principal: Principal,
  { reason, forMs }: { readonly reason: string; readonly forMs: number },
): Promise<{ readonly revision: number; readonly until: number }> {
  if (!glass) throw errors.E_BREAK_GLASS({ message: 'There is no role for emergencies.' });
  if (typeof reason !== 'string' || reason.trim().length < 10) {
    throw errors.E_BREAK_GLASS({ message: 'Say why, in at least ten characters: people will read it.' });
  }
  if (!(Number.isInteger(forMs) && forMs >= 1 && forMs <= glass.maxMs)) {
    throw errors.E_BREAK_GLASS({ message: `Emergency access ends after at most ${glass.maxMs} ms.` });
  }
  await need(principal, 'rbac:break-glass');
  const until = clock.now() + forMs;
  const place = principal.tenant === undefined ? {} : { tenant: principal.tenant };
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
