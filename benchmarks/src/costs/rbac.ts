import { createMongoAbility, type MongoAbility } from '@casl/ability';
import {
  ALLOW,
  createMemoryFeed,
  ensureContext,
  guard,
  type ChangeFeed,
  type Middleware,
} from '@portcullis/core';
import { createRbac, definePermissions, type Rbac, type RoleStore } from '@portcullis/rbac';
import { AccessControl } from 'accesscontrol';
import express from 'express';
import { newEnforcer, newModelFromString, StringAdapter } from 'casbin';
import { costCase, exchange, mustPass, type CostFigure, type CostGroup } from './harness.js';

interface Size {
  readonly roles: number;
  /** In each of 20 (small: 4) actions. */
  readonly resources: number;
  readonly actions: number;
  readonly perRole: number;
  readonly rolesOfUser: number;
  readonly users: number;
}

const LARGE: Size = { roles: 1000, resources: 500, actions: 20, perRole: 36, rolesOfUser: 5, users: 100_000 };
const SMALL: Size = { roles: 5, resources: 5, actions: 4, perRole: 5, rolesOfUser: 2, users: 100 };
/** Of whom questions are asked: as many as fit into memory as CASL abilities. */
const ASKED_USERS = 400;

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 4_294_967_296;
  };
}

/** Roles with permissions of their own and users with a few of them, drawn once. */
class World {
  readonly names: readonly string[];
  readonly permissions: ReturnType<typeof definePermissions>;
  readonly roles: Map<string, readonly string[]> = new Map();
  readonly users = new Map<string, readonly string[]>();

  constructor(size: Size) {
    const random = seeded(7);
    const some = <T>(from: readonly T[], count: number): T[] => [
      ...new Set(Array.from({ length: count }, () => from[Math.floor(random() * from.length)]!)),
    ];
    const actions = Array.from({ length: size.actions }, (_, i) => `action-${i}`);
    this.permissions = definePermissions(
      Object.fromEntries(Array.from({ length: size.resources }, (_, i) => [`resource-${i}`, actions])),
    );
    this.names = this.permissions.names;
    const roles = Array.from({ length: size.roles }, (_, i) => `role-${i}`);
    for (const role of roles) this.roles.set(role, some(this.names, size.perRole));
    for (let i = 0; i < size.users; i++) {
      const theirs = new Set(['role-0', ...some(roles, size.rolesOfUser - 1)]);
      this.users.set(`user-${i}`, [...theirs]);
    }
  }

  may(user: string, permission: string): boolean {
    return this.users.get(user)!.some((role) => this.roles.get(role)!.includes(permission));
  }

  effective(user: string): readonly string[] {
    return [...new Set(this.users.get(user)!.flatMap((role) => this.roles.get(role)!))];
  }

  /** Answers from what was drawn, so that no second copy of 100,000 users lies in the memory that is measured. */
  store(given = this.roles, feed: ChangeFeed = createMemoryFeed()): RoleStore {
    const at = { grantedBy: 'root', grantedAt: 0 };
    const policy = {
      roles: [...given].map(([name, allow]) => ({
        name,
        description: '',
        active: true,
        inherits: [],
        allow,
        deny: [],
      })),
      inactivePermissions: [],
    };
    return {
      feed,
      load: async (scope) =>
        scope.kind === 'policy'
          ? { policyRevision: 1, policy }
          : {
              policyRevision: 1,
              user: {
                active: true,
                roles: this.users
                  .get((scope as { readonly id: string }).id)!
                  .map((role) => ({ role, ...at })),
                rules: [],
              },
            },
      commit: async () => {
        throw new Error('Nothing is written here.');
      },
    };
  }

  async rbac(feed?: ChangeFeed): Promise<Rbac> {
    const store = this.store(this.roles, feed);
    const rbac = createRbac({ permissions: this.permissions, store }) as unknown as Rbac;
    await rbac.ready();
    return rbac;
  }
}

interface Question {
  readonly user: string;
  readonly permission: string;
}

/** Half of them are answered with yes. */
function questions(world: World, count: number): readonly Question[] {
  const random = seeded(11);
  const users = [...world.users.keys()].slice(0, ASKED_USERS);
  return Array.from({ length: count }, (_, i) => {
    const user = users[Math.floor(random() * users.length)]!;
    const from = i % 2 === 0 ? world.effective(user) : world.names;
    return { user, permission: from[Math.floor(random() * from.length)]! };
  });
}

/** All contenders give the same answers, before anything is timed. */
async function agree(
  world: World,
  asked: readonly Question[],
  contenders: Record<string, (question: Question) => unknown>,
) {
  for (const question of asked) {
    const expected = world.may(question.user, question.permission);
    for (const [name, can] of Object.entries(contenders)) {
      if ((await can(question)) !== expected)
        throw new Error(`${name} is wrong: ${JSON.stringify(question)}`);
    }
  }
}

const large = new World(LARGE);
const small = new World(SMALL);
const rbac = await large.rbac();
/** As on PostgreSQL: what is in memory counts while a lease holds, so each question reads the clock. */
const memory = createMemoryFeed();
const leased = await large.rbac({
  synchronous: false,
  publish: (changes) => memory.publish(changes),
  readSince: (position) => memory.readSince(position),
  onHint: (told) => memory.onHint(told),
  onChange: () => () => undefined,
  close: () => memory.close(),
});
const smallRbac = await small.rbac();
const asked = questions(large, 4000);
const smallAsked = questions(small, 4000);

const before = heap();
for (const user of large.users.keys()) await rbac.can(user, large.names[0]!);
const bytes = (heap() - before) / large.users.size;
for (const user of small.users.keys()) await smallRbac.can(user, small.names[0]!);

function heap(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const abilities = new Map<string, MongoAbility>();
for (const { user } of asked) {
  if (abilities.has(user)) continue;
  const rules = large.effective(user).map((name) => {
    const [subject = '', action = ''] = name.split(':');
    return { action, subject };
  });
  abilities.set(user, createMongoAbility(rules));
}
const control = new AccessControl();
for (const [role, names] of large.roles) {
  for (const name of names) {
    const [resource = '', action = ''] = name.split(':');
    control.grant(role).action(`${action}:any`, resource);
  }
}
control.lock();

const MODEL = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act`;

function casbinRules(roles: Iterable<readonly [string, readonly string[]]>, users: Iterable<string>): string {
  const lines: string[] = [];
  for (const [role, names] of roles) {
    for (const name of names) lines.push(`p, ${role}, ${name.split(':').join(', ')}`);
  }
  for (const user of users) for (const role of large.users.get(user)!) lines.push(`g, ${user}, ${role}`);
  return lines.join('\n');
}
const enforcer = await newEnforcer(
  newModelFromString(MODEL),
  new StringAdapter(casbinRules(large.roles, abilities.keys())),
);

const split = new Map(large.names.map((name) => [name, name.split(':') as [string, string]]));
const ours = ({ user, permission }: Question): Promise<boolean> => rbac.can(user, permission);
const casl = ({ user, permission }: Question): boolean => {
  const [resource, action] = split.get(permission)!;
  return abilities.get(user)!.can(action, resource);
};
const accesscontrol = ({ user, permission }: Question): boolean => {
  const [resource, action] = split.get(permission)!;
  return control.can(large.users.get(user) as string[]).do(`${action}:any`, resource).granted;
};
const casbin = ({ user, permission }: Question): boolean => {
  const [resource, action] = split.get(permission)!;
  return enforcer.enforceSync(user, resource, action);
};
const underLease = ({ user, permission }: Question): Promise<boolean> => leased.can(user, permission);
await agree(large, asked, { 'rbac.can()': ours, 'under a lease': underLease, CASL: casl, accesscontrol });
await agree(large, asked.slice(0, 20), { casbin });
await agree(small, smallAsked, { small: ({ user, permission }) => smallRbac.can(user, permission) });

/** To compare with: what the language takes for a promise, and for two look-ups. */
const userPlaces = new Map([...large.users.keys()].map((user, i) => [user, i]));
const permissionPlaces = new Map(large.names.map((name, i) => [name, i]));
let looked = 0;
async function empty(_question: Question): Promise<void> {
  // Nothing.
}

let next = 0;
const drawn = (): Question => asked[next++ % asked.length]!;
const drawnSmall = (): Question => smallAsked[next++ % smallAsked.length]!;

/** What everybody may, by the role that everybody has. */
const common = large.roles.get('role-0')![0]!;
const noop = guard('noop', { stage: 'authorize' }, () => ALLOW);

/** A request by one of those who are asked about. */
function request(id = drawn().user): ReturnType<typeof exchange> {
  const given = exchange();
  ensureContext(given.req).principal = Object.freeze({ id, kind: 'user' });
  return given;
}
const pass =
  (middleware: Middleware) =>
  ({ req, res }: ReturnType<typeof exchange>): void =>
    middleware(req, res, mustPass);
function send(middleware: Middleware) {
  const app = express().get('/', middleware, (req) => void handled.add(req));
  return ({ req, res }: ReturnType<typeof exchange>): void => {
    app(req as express.Request, res as unknown as express.Response);
    if (!handled.delete(req)) throw new Error('The handler was not reached.');
  };
}
const handled = new Set<unknown>();
/** One permission of a hundred, or ten thousand, each of one role only: as many grants as permissions. */
function dealt(names: readonly string[], roles: number): World['roles'] {
  const dealt = new Map<string, string[]>(Array.from({ length: roles }, (_, i) => [`role-${i}`, []]));
  for (const [i, name] of names.entries()) dealt.get(`role-${i % roles}`)!.push(name);
  return dealt;
}
const hundredRules = casbinRules(dealt(large.names.slice(0, 100), 10), []);
const tenThousand = large.store(dealt(large.names, 1000));
const all = large.store();
const compiled = async (store: RoleStore): Promise<void> => {
  const made = createRbac({ permissions: large.permissions, store });
  await made.ready();
  await made.close();
};

const sets = new Set([...large.users.values()].map((roles) => roles.toSorted().join()));
const effective = asked.reduce((sum, { user }) => sum + large.effective(user).length, 0) / asked.length;
const count = (value: number): string => value.toLocaleString('en');
const WORLD = `${count(large.roles.size)} roles with ${LARGE.perRole} permissions each, ${count(large.names.length)} permissions, ${count(large.users.size)} users in memory with ${LARGE.rolesOfUser} roles each, one of them everybody's (${count(sets.size)} distinct sets of roles, ${effective.toFixed(0)} effective permissions on average); ${count(asked.length)} questions about ${ASKED_USERS} of them, half of them answered with yes, by all alike.`;

export const figures: readonly CostFigure[] = [
  {
    text: `Memory of one cached user: ${bytes.toFixed(0)} bytes (heap and external, collected, ${count(large.users.size)} users), at most 512`,
    held: bytes <= 512,
  },
];

export const groups: readonly CostGroup[] = [
  {
    title: 'One question, large',
    note: `${WORLD} rbac.can() is asked by names; with the facts in memory its promise is resolved when it returns, and what awaiting it costs, a turn of the microtask queue, is a row of its own, and so are, to compare with, an empty async function and two look-ups in Maps of these sizes; CASL has one ability for each user, kept in a map; accesscontrol gets the user's roles from a map. Each case goes over the questions 25 times in one go: what it costs the first time is in the table below.`,
    // Long ones: what each contender keeps in the processor's caches is its own, not the previous one's.
    batch: 100_000,
    batches: 1,
    cases: [
      costCase<Question>({
        name: 'rbac.can()',
        prepare: drawn,
        call({ user, permission }) {
          void rbac.can(user, permission);
        },
      }),
      costCase<Question>({
        name: 'rbac.can(), under a lease',
        prepare: drawn,
        call({ user, permission }) {
          void leased.can(user, permission);
        },
      }),
      costCase<Question>({ name: 'rbac.can(), awaited', prepare: drawn, call: ours }),
      costCase<Question>({
        name: 'an empty async function',
        prepare: drawn,
        call(question) {
          void empty(question);
        },
      }),
      costCase<Question>({
        name: 'two look-ups in a Map',
        prepare: drawn,
        call({ user, permission }) {
          looked += userPlaces.get(user)! + permissionPlaces.get(permission)!;
        },
      }),
      costCase<Question>({ name: 'CASL, cached abilities', prepare: drawn, call: casl }),
      costCase<Question>({ name: 'accesscontrol', prepare: drawn, call: accesscontrol }),
    ],
    claims: [
      { ours: 'rbac.can()', peer: 'CASL, cached abilities', atMost: 1 / 3 },
      { ours: 'rbac.can(), awaited', peer: 'CASL, cached abilities', atMost: 1 / 3 },
      { ours: 'rbac.can()', peer: 'accesscontrol', atMost: 1 / 50 },
    ],
    peers: ['@casl/ability', 'accesscontrol'],
  },
  {
    title: 'The same for the first time',
    note: 'Each of the 4,000 questions once, when the collector has just gone through all memory and nothing of it is in the caches of the processor. Nothing is promised.',
    batch: 4000,
    batches: 1,
    cases: [
      costCase<Question>({
        name: 'rbac.can()',
        prepare: drawn,
        call({ user, permission }) {
          void rbac.can(user, permission);
        },
      }),
      costCase<Question>({
        name: 'two look-ups in a Map',
        prepare: drawn,
        call({ user, permission }) {
          looked += userPlaces.get(user)! + permissionPlaces.get(permission)!;
        },
      }),
      costCase<Question>({ name: 'CASL, cached abilities', prepare: drawn, call: casl }),
      costCase<Question>({ name: 'accesscontrol', prepare: drawn, call: accesscontrol }),
    ],
    peers: ['@casl/ability', 'accesscontrol'],
  },
  {
    title: '100,000 questions beside one of casbin',
    note: `The same roles and permissions; casbin holds the ${ASKED_USERS} users that are asked about, which its time does not depend on.`,
    batch: 1,
    batches: 1,
    cases: [
      costCase({
        name: '100,000 x rbac.can()',
        async call() {
          for (let i = 0; i < 100_000; i++) await ours(drawn());
        },
      }),
      costCase<Question>({ name: '1 x casbin enforceSync()', prepare: drawn, call: casbin }),
    ],
    claims: [{ ours: '100,000 x rbac.can()', peer: '1 x casbin enforceSync()', atMost: 1 }],
    peers: ['casbin'],
  },
  {
    title: 'Growth of a guarded route',
    note: `Small: ${SMALL.roles} roles, ${small.names.length} permissions, ${SMALL.users} users. Large: as above. A route of Express 5 each, asked for by those who are asked about.`,
    batch: 200,
    batches: 40,
    cases: [
      costCase({
        name: 'small',
        prepare: () => request(drawnSmall().user),
        call: send(smallRbac.requirePermission(small.roles.get('role-0')![0]!)),
      }),
      costCase({ name: 'large', prepare: request, call: send(rbac.requirePermission(common)) }),
    ],
    claims: [{ ours: 'large', peer: 'small', atMost: 1.5 }],
    peers: ['express'],
  },
  {
    title: 'Growth of can()',
    note: "The call alone, asked by names: what is small lies in the processor's first cache, 4,000 different questions about 10,000 names and 100,000 users do not.",
    batch: 100_000,
    batches: 1,
    cases: [
      costCase<Question>({
        name: 'small',
        prepare: drawnSmall,
        call({ user, permission }) {
          void smallRbac.can(user, permission);
        },
      }),
      costCase<Question>({
        name: 'large',
        prepare: drawn,
        call({ user, permission }) {
          void rbac.can(user, permission);
        },
      }),
    ],
    claims: [{ ours: 'large', peer: 'small', atMost: 1.5 }],
  },
  {
    title: 'A guard on the way of a request',
    note: 'A route of Express 5 with requirePermission(), the facts in memory, beside the same with a guard() that allows everything.',
    batch: 200,
    batches: 40,
    cases: [
      costCase({ name: 'guard() that allows everything', prepare: request, call: send(noop) }),
      costCase({ name: 'requirePermission()', prepare: request, call: send(rbac.requirePermission(common)) }),
    ],
    claims: [{ ours: 'requirePermission()', peer: 'guard() that allows everything', atMost: 1.5 }],
    peers: ['express'],
  },
  {
    title: 'The same without a router',
    note: 'The middleware alone. Nothing is promised: a guard that does nothing is a few nanoseconds.',
    batch: 200,
    batches: 40,
    cases: [
      costCase({ name: 'guard() that allows everything', prepare: request, call: pass(noop) }),
      costCase({ name: 'requirePermission()', prepare: request, call: pass(rbac.requirePermission(common)) }),
    ],
  },
  {
    title: 'Compiling roles',
    note: `From what a store answers to the first decision. Each permission is granted to one role: 100 of 10 roles there, 10,000 of 1,000 roles here; beside it the roles of the tables above, with ${count(LARGE.roles * LARGE.perRole)} grants.`,
    batch: 1,
    batches: 10,
    cases: [
      costCase({
        name: 'casbin, 100 permissions',
        call: () => newEnforcer(newModelFromString(MODEL), new StringAdapter(hundredRules)),
      }),
      costCase({ name: 'rbac, 10,000 permissions', call: () => compiled(tenThousand) }),
      costCase({ name: 'rbac, the tables above', call: () => compiled(all) }),
    ],
    claims: [{ ours: 'rbac, 10,000 permissions', peer: 'casbin, 100 permissions', atMost: 1 }],
    peers: ['casbin'],
  },
];
