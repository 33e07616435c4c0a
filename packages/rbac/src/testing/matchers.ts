import type { AskOptions, Subject } from '../decision.js';
import type { Rbac } from '../rbac.js';
import { showRoutes, type RouteOptions } from '../route-rules.js';

/** What `expect.extend()` of Jest and Vitest takes. */
export interface MatcherResult {
  readonly pass: boolean;
  message(): string;
}

async function explained(rbac: Rbac<never>, subject: Subject, permission: string, about: AskOptions) {
  const { decision, because } = await (rbac as unknown as Rbac).explain(subject, permission, about);
  const who = typeof subject === 'string' ? subject : (subject?.id ?? 'nobody');
  return { allowed: decision.allowed, message: () => `${who}, ${permission}: ${because.join(' ')}` };
}

/**
 * Matchers for `expect.extend(rbacMatchers)`, whose messages say why:
 * `await expect(rbac).toAllow('ann', 'book:read', { owner })`, `await expect(rbac).toDeny(...)`, and
 * `expect(rbac).toGuardEveryRoute(app, { passes })`.
 */
export const rbacMatchers = Object.freeze({
  async toAllow(
    rbac: Rbac<never>,
    subject: Subject,
    permission: string,
    about: AskOptions = {},
  ): Promise<MatcherResult> {
    const { allowed, message } = await explained(rbac, subject, permission, about);
    return { pass: allowed, message };
  },
  async toDeny(
    rbac: Rbac<never>,
    subject: Subject,
    permission: string,
    about: AskOptions = {},
  ): Promise<MatcherResult> {
    const { allowed, message } = await explained(rbac, subject, permission, about);
    return { pass: !allowed, message };
  },
  toGuardEveryRoute(rbac: Rbac<never>, app: unknown, options: RouteOptions = {}): MatcherResult {
    const rules = rbac.seal(app, { ...options, unguarded: 'report' });
    const open = rules.filter(({ unguarded }) => unguarded);
    return {
      // An app without routes is one that was not built yet.
      pass: rules.length > 0 && open.length === 0,
      message: () =>
        rules.length === 0 ? 'There are no routes.' : showRoutes(open.length > 0 ? open : rules),
    };
  },
});
