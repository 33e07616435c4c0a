import {
  definePermissions,
  POLICY_TOPIC,
  type PolicyRecord,
  type RoleBatch,
  type RoleRecord,
  type RoleWrite,
  type UserRecord,
} from '../src/index.js';

/** Seeded, so that a failure can be repeated. */
export function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** All that is stored about roles, and about one user. */
export interface World extends PolicyRecord {
  readonly user: UserRecord;
}

/** One question, and when it is asked. */
export interface Asked {
  readonly permission: (typeof ASKED)[number];
  readonly mine: boolean;
  readonly now: number;
  readonly tenant: string | undefined;
  readonly scopes: readonly string[] | undefined;
}

export const permissions = definePermissions({
  book: ['read', 'update', 'update:own'],
  loan: ['read:own', 'read:any', 'approve'],
  user: ['read', 'read:own', 'read:any'],
});
export const PATTERNS = [
  ...permissions.names,
  '**',
  'book:*',
  'loan:**',
  '*:read',
  '*:read:own',
  'user:*:any',
  '*:*:*',
  '*:**',
];
export const ASKED = [...permissions.names, 'loan:read'] as const;
const TENANTS = [undefined, 'acme', 'globex'];
const at = { grantedBy: 'root', grantedAt: 0 };

export function randomWorld(random: () => number): World {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const some = <T>(from: readonly T[], chance: number): T[] => from.filter(() => random() < chance);
  const bounds = () => {
    const tenant = random() < 0.3 ? pick([...TENANTS, '*']) : undefined;
    return {
      ...(random() < 0.2 ? { from: Math.floor(random() * 4) } : {}),
      ...(random() < 0.2 ? { until: Math.floor(random() * 4) } : {}),
      ...(tenant === undefined ? {} : { tenant }),
      ...at,
    };
  };
  const names = Array.from({ length: Math.floor(random() * 6) }, (_, i) => `r${i}`);
  const roles = names.map((name, i) => ({
    name,
    description: '',
    active: random() < 0.85,
    inherits: some(names.slice(0, i), 0.4), // Only earlier ones: no cycle.
    allow: some(PATTERNS, 0.11),
    deny: some(PATTERNS, 0.04),
  }));
  const rules = Array.from({ length: random() < 0.3 ? 1 + Math.floor(random() * 2) : 0 }, () => ({
    effect: random() < 0.7 ? ('allow' as const) : ('deny' as const),
    permission: pick(PATTERNS),
    ...bounds(),
  }));
  return {
    roles: some(roles, 1).sort(() => random() - 0.5),
    inactivePermissions: some(permissions.names, 0.1),
    user: {
      active: random() < 0.95,
      roles: some(names, 0.5).map((role) => ({ role, ...bounds() })),
      // A store keeps one rule of a kind.
      rules: [
        ...new Map(rules.map((rule) => [`${rule.effect} ${rule.permission} ${rule.tenant}`, rule])).values(),
      ],
    },
  };
}

export function randomQuestion(random: () => number): Asked {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  return {
    permission: pick(ASKED),
    mine: random() < 0.5,
    now: Math.floor(random() * 4),
    tenant: random() < 0.3 ? pick(TENANTS) : undefined,
    scopes: random() < 0.2 ? [...PATTERNS, 'openid', 'loan:read'].filter(() => random() < 0.2) : undefined,
  };
}

const known = new Map<string, boolean>();
function matches(pattern: string, name: string): boolean {
  const key = `${pattern} ${name}`;
  const parts = pattern.split(':').map((part) => (part === '**' ? '.+' : part === '*' ? '[^:]+' : part));
  if (!known.has(key)) known.set(key, new RegExp(`^${parts.join(':')}$`).test(name));
  return known.get(key)!;
}

/** The specification, as short and as slow as it can be said: strings, regular expressions, no sharing with the engine. */
export function bruteForce({ roles, inactivePermissions, user }: World, asked: Asked): boolean {
  const { permission, mine, now, tenant, scopes } = asked;
  const names =
    permission.split(':').length === 2 ? ['', ':any', ':own'].map((s) => permission + s) : [permission];
  const concerned = permissions.names.filter(
    (name) => names.includes(name) && (mine || !name.endsWith(':own')),
  );
  const counts = (grant: { from?: number; until?: number; tenant?: string }): boolean =>
    (grant.from ?? 0) <= now && now < (grant.until ?? Infinity) && [tenant, '*'].includes(grant.tenant);
  const reach = (name: string): RoleRecord[] => {
    const role = roles.find((each) => each.name === name);
    return role?.active ? [role, ...role.inherits.flatMap(reach)] : [];
  };
  const held = user.roles.filter(counts).flatMap(({ role }) => reach(role));
  const direct = user.rules.filter(counts);
  const of = (effect: 'allow' | 'deny'): string[] => [
    ...held.flatMap((role) => role[effect]),
    ...direct.filter((rule) => rule.effect === effect).map((rule) => rule.permission),
  ];
  const denied = of('deny').some((pattern) => concerned.some((name) => matches(pattern, name)));
  const live = concerned.filter((name) => !inactivePermissions.includes(name));
  const allowed = of('allow').some((pattern) => live.some((name) => matches(pattern, name)));
  const covered =
    !scopes || scopes.some((s) => s === permission || concerned.some((name) => matches(s, name)));
  return user.active && !denied && allowed && covered;
}

/** The world as one batch for an empty store. */
export function batchOf({ roles, inactivePermissions, user }: World, userId: string): RoleBatch {
  const writes: RoleWrite[] = [
    ...roles.map((role) => ({ kind: 'put-role', role }) as const),
    ...inactivePermissions.map(
      (permission) => ({ kind: 'set-permission-active', permission, active: false }) as const,
    ),
    ...user.roles.map((assignment) => ({ kind: 'put-assignment', userId, assignment }) as const),
    ...user.rules.map((rule) => ({ kind: 'put-rule', userId, rule }) as const),
    { kind: 'set-user-active', userId, active: user.active },
  ];
  return {
    writes,
    changes: [{ topic: POLICY_TOPIC, subject: '*' }],
    ifPolicyRevision: 0,
    changesPolicy: true,
  };
}
