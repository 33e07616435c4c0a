import { hasCode, type Clock, type Events, type Random } from '@portcullis/core';
import type { Actor, Administration } from './administration.js';
import { actorId, storedRole } from './checked-input.js';
import { isAdministrator } from './authority.js';
import type { Catalogue } from './catalogue.js';
import { includesId } from './catalogue.js';
import { errors } from './error-codes.js';
import { linked } from './evidence.js';
import type { GovernanceStore, StoredReview } from './governance-store.js';
import { reachOf, rolesByName } from './reach.js';
import { checkPolicyRecord } from './records.js';
import { checkDays, checkDecision, checkDraft, checkReport } from './review-input.js';
import type { Bounds, PolicyRecord, Provenance, RoleStore, UserRecord } from './role-store.js';
import { DAY_MS } from './use-log.js';

export type Disposition = 'keep' | 'revoke' | 'modify';

/** One grant that somebody has, and what is known of it. */
export interface ReviewItem extends Bounds, Provenance {
  readonly number: number;
  readonly userId: string;
  /** Of the user: switched off, it allows nothing now. */
  readonly userActive: boolean;
  readonly kind: 'role' | 'allow' | 'deny';
  /** The role, or the permission of a direct rule. */
  readonly what: string;
  /** When anything that it allows was last used, to the day; absent if never, or not tracked. */
  readonly lastUsed?: number;
  readonly lastSeen?: number;
  readonly decision?: ReviewDecision;
}

export interface ReviewDecision {
  readonly disposition: Disposition;
  readonly reviewer: string;
  readonly at: number;
  readonly reason: string;
  /** Of `modify`: the new end. */
  readonly until?: number;
  /** The revision at which the change counts: the proof of removal. */
  readonly revision?: number;
  /** Decided after the review was due. */
  readonly late?: true;
}

export interface Review {
  readonly id: string;
  readonly openedBy: string;
  readonly openedAt: number;
  readonly dueAt: number;
  readonly reviewers: readonly string[];
  readonly scope: ReviewScope;
  /** Of the roles that were looked at. */
  readonly policyRevision: number;
  readonly items: readonly ReviewItem[];
  readonly closedBy?: string;
  readonly closedAt?: number;
}

export interface ReviewScope {
  /** Only grants of these roles. @default every grant */
  readonly roles?: readonly string[];
  /** Only of these users. @default everybody about whom something is stored */
  readonly users?: readonly string[];
}

export interface ReviewDraft {
  readonly scope?: ReviewScope;
  /** Who may decide, at least one; nobody decides about their own grants, or about what they granted. */
  readonly reviewers: readonly string[];
  /** 1 to 366. @default 5 */
  readonly dueInDays?: number;
}

export interface InactiveUser {
  readonly userId: string;
  /** Newest of what was seen, used and granted. */
  readonly lastActivity: number;
  readonly suspended: boolean;
}

export interface UnusedReport {
  /** Grants older than the period of which nothing was used in it. */
  readonly grants: readonly { readonly userId: string; readonly role: string; readonly lastUsed?: number }[];
  /** Declared permissions that nobody used in it. */
  readonly permissions: readonly string[];
}

/** Access reviews and reports about grants (ISO/IEC 27001 A.5.18, SOC 2 CC6.2, NIST SP 800-53 AC-2). */
export interface Governance {
  /** Lists every grant in scope as it is now. @throws E_REVIEW_INVALID */
  openReview(actor: Actor, draft: ReviewDraft): Promise<Review>;
  reviews(): Promise<readonly Review[]>;
  /** @throws E_REVIEW_UNKNOWN */
  review(id: string): Promise<Review>;
  /**
   * Decides about one item, and does it: `revoke` ends the grant, `modify` gives it the end `until`. Until the review is closed a
   * decision can be replaced; what was revoked is not given back.
   * @throws E_REVIEW_CONFLICT for who is no reviewer, is the subject, or granted it; E_REVIEW_UNKNOWN, E_REVIEW_INVALID
   */
  decideReview(
    actor: Actor,
    id: string,
    item: number,
    decision: {
      readonly disposition: Disposition;
      readonly reason: string;
      readonly until?: number | Date | undefined;
    },
  ): Promise<Review>;
  /** @throws E_REVIEW_CONFLICT while items are undecided, or if it is closed */
  closeReview(actor: Actor, id: string): Promise<Review>;
  /** Of a closed review, for auditors: lines of JSON linked by hashes, the same bytes at every call. `verifyEvidence()` checks it. */
  evidence(id: string): Promise<{ readonly text: string; readonly hash: string }>;
  /** Who has grants and was not active for so long; `suspend` switches them off. */
  inactiveUsers(
    actor: Actor,
    options: { readonly days: number; readonly action?: 'report' | 'suspend' },
  ): Promise<readonly InactiveUser[]>;
  /** What was granted and not used for so long. */
  unused(options: { readonly days: number }): Promise<UnusedReport>;
  /** Who can administer roles. */
  administrators(): Promise<readonly { readonly userId: string; readonly grants: readonly string[] }[]>;
}

export interface GovernanceDeps {
  readonly store: RoleStore;
  readonly kept: GovernanceStore | undefined;
  /** Written uses first, so that reports see them. */
  readonly flush: () => Promise<void>;
  readonly lastSeen: ((userIds: readonly string[]) => Promise<ReadonlyMap<string, number>>) | undefined;
  readonly administration: Administration<string, string>;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly deadlineMs: number;
}

const PAGE = 500;
const ATTEMPTS = 8;

export function createGovernance(deps: GovernanceDeps): Governance {
  const { store, administration, catalogue, clock, events } = deps;
  const options = { deadlineMs: deps.deadlineMs };

  const policyNow = async (): Promise<{ policy: PolicyRecord; revision: number }> => {
    const { policy, policyRevision } = await store.load({ kind: 'policy' }, options);
    return { policy: checkPolicyRecord(policy), revision: policyRevision };
  };

  async function* everybody(): AsyncIterable<readonly { readonly id: string; readonly user: UserRecord }[]> {
    for (let after: string | undefined = ''; after !== undefined;) {
      const page: readonly { id: string; user: UserRecord }[] =
        (await store.load({ kind: 'users', after, limit: PAGE }, options)).users ?? [];
      if (page.length > 0) yield page;
      after = page.length === PAGE ? page.at(-1)!.id : undefined;
    }
  }

  /** What is known of the people of a page. */
  async function activityOf(ids: readonly string[]) {
    await deps.flush();
    const uses = (await deps.kept?.uses(ids)) ?? [];
    const seen = (await deps.lastSeen?.(ids)) ?? new Map<string, number>();
    return { uses: groupUses(uses), seen };
  }

  const keptStore = (): GovernanceStore => {
    if (deps.kept) return deps.kept;
    throw errors.E_REVIEW_INVALID({
      message: 'Reviews need the option governance: a store to keep them in.',
    });
  };
  const load = async (id: string): Promise<{ review: Review; version: number }> => {
    const stored = typeof id === 'string' ? await keptStore().review(id) : undefined;
    if (!stored) throw errors.E_REVIEW_UNKNOWN();
    return { review: JSON.parse(stored.body) as Review, version: stored.version };
  };
  const toStored = (review: Review, version: number): StoredReview => ({
    id: review.id,
    version,
    body: JSON.stringify(review),
  });

  /** Reads, changes and writes again while others write too. */
  async function change(id: string, edit: (review: Review) => Promise<Review>): Promise<Review> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { review, version } = await load(id);
      if (review.closedAt !== undefined) throw errors.E_REVIEW_CONFLICT({ message: 'The review is closed.' });
      const next = await edit(review);
      if (await keptStore().putReview(toStored(next, version + 1))) return next;
    }
    throw errors.E_ROLES_CONFLICT();
  }

  return {
    async openReview(actor, draft) {
      const openedBy = actorId(actor);
      const { scope = {}, reviewers, dueInDays = 5 } = checkDraft(draft);
      const { policy, revision } = await policyNow();
      for (const role of scope.roles ?? []) storedRole(policy, role);
      const roles = rolesByName(policy);
      const items: ReviewItem[] = [];
      for await (const page of everybody()) {
        const users = page.filter(({ id }) => scope.users?.includes(id) ?? true);
        const { uses, seen } = await activityOf(users.map(({ id }) => id));
        for (const { id, user } of users) {
          const facts = (covers: (permission: string) => boolean) => {
            const days = (uses.get(id) ?? []).filter((use) => covers(use.permission)).map((use) => use.day);
            const lastSeen = seen.get(id);
            return {
              ...(days.length > 0 ? { lastUsed: Math.max(...days) } : {}),
              ...(lastSeen === undefined ? {} : { lastSeen }),
            };
          };
          const base = { userId: id, userActive: user.active };
          for (const { role, ...grant } of user.roles) {
            if (scope.roles && !scope.roles.includes(role)) continue;
            const used = facts(coveredBy(catalogue, allowedBy(roles, role)));
            items.push({ number: items.length + 1, ...base, kind: 'role', what: role, ...grant, ...used });
          }
          for (const { effect, permission, ...grant } of scope.roles ? [] : user.rules) {
            const used = facts(coveredBy(catalogue, [permission]));
            items.push({
              number: items.length + 1,
              ...base,
              kind: effect,
              what: permission,
              ...grant,
              ...used,
            });
          }
        }
      }
      const openedAt = clock.now();
      const review: Review = {
        id: deps.random.uuid(),
        openedBy,
        openedAt,
        dueAt: openedAt + dueInDays * DAY_MS,
        reviewers: [...new Set(reviewers)],
        scope,
        policyRevision: revision,
        items,
      };
      if (!(await keptStore().putReview(toStored(review, 1)))) throw errors.E_ROLES_CONFLICT();
      events.emit({
        type: 'rbac.review-opened',
        actor: openedBy,
        review: review.id,
        items: items.length,
        dueAt: review.dueAt,
      });
      return review;
    },
    reviews: async () => (await keptStore().reviews()).map(({ body }) => JSON.parse(body) as Review),
    review: async (id) => (await load(id)).review,
    decideReview(actor, id, number, decision) {
      const reviewer = actorId(actor);
      return change(id, async (review) => {
        const item = review.items.find((each) => each.number === number);
        if (!item) throw errors.E_REVIEW_UNKNOWN();
        const { disposition, reason, until } = checkDecision(decision, clock.now());
        if (!review.reviewers.includes(reviewer)) {
          throw errors.E_REVIEW_CONFLICT({ message: 'Only reviewers of this review decide in it.' });
        }
        const earlier = item.decision?.disposition;
        if (disposition === 'keep' && earlier !== undefined && earlier !== 'keep') {
          throw errors.E_REVIEW_CONFLICT({
            message: 'It was taken away or shortened already: grant it anew.',
          });
        }
        if (item.userId === reviewer || item.grantedBy === reviewer) {
          throw errors.E_REVIEW_CONFLICT({
            message: 'Nobody decides about their own grants, or about what they have granted.',
          });
        }
        const revision = await carryOut(administration, reviewer, item, disposition, until, reason);
        const at = clock.now();
        const made: ReviewDecision = {
          disposition,
          reviewer,
          at,
          reason,
          ...(until === undefined ? {} : { until }),
          ...(revision === undefined ? {} : { revision }),
          ...(at > review.dueAt ? { late: true } : {}),
        };
        return {
          ...review,
          items: review.items.map((each) => (each === item ? { ...each, decision: made } : each)),
        };
      });
    },
    async closeReview(actor, id) {
      const closedBy = actorId(actor);
      const review = await change(id, async (open) => {
        const undecided = open.items.filter(({ decision }) => !decision).length;
        if (undecided > 0) {
          throw errors.E_REVIEW_CONFLICT({
            message: `${undecided} of ${open.items.length} items are undecided.`,
          });
        }
        return { ...open, closedBy, closedAt: clock.now() };
      });
      const { hash } = evidenceOf(review);
      events.emit({ type: 'rbac.review-closed', actor: closedBy, review: id, evidence: hash });
      return review;
    },
    async evidence(id) {
      const { review } = await load(id);
      if (review.closedAt === undefined) {
        throw errors.E_REVIEW_CONFLICT({ message: 'The evidence of a review is that of a closed one.' });
      }
      return evidenceOf(review);
    },
    async inactiveUsers(actor, about) {
      const { days, action = 'report' } = checkReport(about, ['days', 'action']);
      if (action !== 'report' && action !== 'suspend') {
        throw errors.E_REVIEW_INVALID({ message: 'action is "report" or "suspend".' });
      }
      const before = clock.now() - checkDays(days) * DAY_MS;
      const found: InactiveUser[] = [];
      for await (const page of everybody()) {
        const { uses, seen } = await activityOf(page.map(({ id }) => id));
        for (const { id, user } of page) {
          const grants = [...user.roles, ...user.rules.filter(({ effect }) => effect === 'allow')];
          if (!user.active || grants.length === 0) continue;
          const lastActivity = Math.max(
            seen.get(id) ?? 0,
            ...(uses.get(id) ?? []).map((use) => use.day + DAY_MS - 1),
            ...grants.map(({ grantedAt }) => grantedAt),
          );
          if (lastActivity < before) found.push({ userId: id, lastActivity, suspended: false });
        }
      }
      if (action === 'report') return found;
      const done: InactiveUser[] = [];
      for (const user of found) {
        done.push({ ...user, suspended: await suspended(administration, actor, user.userId) });
      }
      return done;
    },
    async unused(about) {
      const { days } = checkReport(about, ['days']);
      const before = clock.now() - checkDays(days) * DAY_MS;
      const { policy } = await policyNow();
      const roles = rolesByName(policy);
      const grants: { userId: string; role: string; lastUsed?: number }[] = [];
      const used = new Set<string>();
      for await (const page of everybody()) {
        const { uses } = await activityOf(page.map(({ id }) => id));
        for (const { id, user } of page) {
          const own = uses.get(id) ?? [];
          for (const { permission, day } of own) if (day + DAY_MS > before) used.add(permission);
          for (const { role, grantedAt } of user.roles) {
            const covers = coveredBy(catalogue, allowedBy(roles, role));
            const lastDays = own.filter(({ permission }) => covers(permission)).map(({ day }) => day);
            const lastUsed = lastDays.length > 0 ? Math.max(...lastDays) : undefined;
            if (grantedAt >= before || (lastUsed !== undefined && lastUsed + DAY_MS > before)) continue;
            grants.push({ userId: id, role, ...(lastUsed === undefined ? {} : { lastUsed }) });
          }
        }
      }
      const isUsed = coveredBy(catalogue, [...used]);
      return { grants, permissions: catalogue.names.filter((name) => !used.has(name) && !isUsed(name)) };
    },
    async administrators() {
      const { policy } = await policyNow();
      const found: { userId: string; grants: string[] }[] = [];
      for await (const page of everybody()) {
        for (const { id, user } of page) {
          if (!isAdministrator(policy, user, clock.now())) continue;
          const alone = (record: UserRecord): boolean => isAdministrator(policy, record, clock.now());
          const grants = [
            ...user.roles
              .filter((given) => alone({ ...user, roles: [given], rules: [] }))
              .map(({ role }) => `role ${role}`),
            ...user.rules
              .filter((given) => alone({ ...user, roles: [], rules: [given] }))
              .map(({ permission }) => permission),
          ];
          found.push({ userId: id, grants });
        }
      }
      return found;
    },
  };
}

function groupUses(uses: readonly { userId: string; permission: string; day: number }[]) {
  const grouped = new Map<string, { permission: string; day: number }[]>();
  for (const { userId, ...use } of uses) {
    const own = grouped.get(userId);
    if (own) own.push(use);
    else grouped.set(userId, [use]);
  }
  return grouped;
}

function allowedBy(roles: ReturnType<typeof rolesByName>, role: string): readonly string[] {
  return [...reachOf(roles, role)].flatMap((name) => roles.get(name)!.allow);
}

/** Is what was asked for something that these patterns allow? Names are as they were asked: `loan:read` for `loan:read:any`. */
function coveredBy(catalogue: Catalogue, patterns: readonly string[]): (asked: string) => boolean {
  const coverages = patterns.flatMap((pattern) => {
    const check = catalogue.check(pattern);
    const ids = check ? (check.own >= 0 ? [...check.always, check.own] : check.always) : [];
    return [catalogue.expand(pattern) ?? [], ids].flat();
  });
  return (asked) => {
    const check = catalogue.check(asked);
    if (!check) return false;
    const ids = check.own >= 0 ? [...check.always, check.own] : check.always;
    return ids.some((id) => coverages.some((coverage) => includesId(coverage, id)));
  };
}

async function carryOut(
  administration: Administration<string, string>,
  reviewer: string,
  item: ReviewItem,
  disposition: Disposition,
  until: number | undefined,
  why: string,
): Promise<number | undefined> {
  if (disposition === 'keep') return undefined;
  const { userId, what, kind } = item;
  const place = item.tenant === undefined ? {} : { tenant: item.tenant };
  const now = await administration.grantsOf(userId);
  const standing = [
    ...now.roles.filter(({ role }) => kind === 'role' && role === what),
    ...now.rules.filter(({ effect, permission }) => effect === kind && permission === what),
  ].find(({ tenant }) => tenant === item.tenant);
  if (disposition === 'revoke') {
    // It ended meanwhile, perhaps with its role.
    if (!standing) return undefined;
    const ended =
      kind === 'role'
        ? administration.revokeRole(reviewer, userId, what, place)
        : kind === 'allow'
          ? administration.revokePermission(reviewer, userId, what, place)
          : administration.liftDenial(reviewer, userId, what, place);
    return (await ended).revision;
  }
  // What has been taken away since must not come back by being shortened, nor what ends get a later end.
  if (!standing || (standing.until ?? Infinity) < until!) {
    throw errors.E_REVIEW_CONFLICT({ message: 'The grant has ended meanwhile, or ends before that.' });
  }
  const bounds = {
    ...place,
    ...(standing.from === undefined ? {} : { from: standing.from }),
    until: until!,
    reason: why,
  };
  const changed =
    kind === 'role'
      ? administration.grantRole(reviewer, userId, what, bounds)
      : kind === 'allow'
        ? administration.grantPermission(reviewer, userId, what, bounds)
        : administration.denyPermission(reviewer, userId, what, bounds);
  return (await changed).revision;
}

function evidenceOf(review: Review): { readonly text: string; readonly hash: string } {
  const { items, ...head } = review;
  const count = (disposition: Disposition): number =>
    items.filter(({ decision }) => decision?.disposition === disposition).length;
  return linked([
    { fact: 'review', ...head },
    ...items.map((item) => ({ fact: 'item', ...item })),
    {
      fact: 'sum',
      items: items.length,
      keep: count('keep'),
      revoke: count('revoke'),
      modify: count('modify'),
    },
  ]);
}

/** Switches somebody off; the last administrator stays. */
async function suspended(
  administration: Administration<string, string>,
  actor: Actor,
  userId: string,
): Promise<boolean> {
  try {
    await administration.setUserActive(actor, userId, false);
    return true;
  } catch (error) {
    if (hasCode(error, 'E_LAST_ADMINISTRATOR')) return false;
    throw error;
  }
}
