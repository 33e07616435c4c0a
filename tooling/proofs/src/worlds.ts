// pnpm prove:worlds [--worlds 1000000] [--explain 100000] [--filter 2000] [--short] [--write]: rbac against a brute-force
// evaluator that shares nothing with it, on random worlds; explain() replayed and its remedy tried; where().toSql() against
// can() row by row on a real PostgreSQL. Each comparison has controls, mutants that it must tell from rbac.
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fromPg } from '@portcullis/core/postgres';
import { createRbac, memoryRoles, type RoleStore, type Snapshot } from '@portcullis/rbac';
import { startPostgres } from '@portcullis/test-support/servers';
import pg from 'pg';
import { explainFails } from '../../../packages/rbac/test/explain-check.js';
import { compareFilter, makeTable } from '../../../packages/rbac/test/filter-check.js';
import {
  batchOf,
  bruteForce,
  mulberry32,
  permissions,
  randomQuestion,
  randomWorld,
  type World,
} from '../../../packages/rbac/test/worlds.js';

const { values: flags } = parseArgs({
  options: {
    worlds: { type: 'string' },
    explain: { type: 'string' },
    filter: { type: 'string' },
    short: { type: 'boolean' },
    write: { type: 'boolean' },
  },
});
const worlds = Number(flags.worlds ?? (flags.short ? 20_000 : 1_000_000));
const explanations = Number(flags.explain ?? (flags.short ? 2000 : 100_000));
const filters = Number(flags.filter ?? (flags.short ? 200 : 2000));

/** What rbac reads, spoilt as a defect of that kind would spoil it. */
type Mutant = (snapshot: Snapshot) => Snapshot;
type Grant = { readonly from?: number; readonly until?: number; readonly tenant?: string };

const roles =
  (edit: (role: World['roles'][number]) => Partial<World['roles'][number]>): Mutant =>
  ({ policy, ...rest }) =>
    policy
      ? { ...rest, policy: { ...policy, roles: policy.roles.map((role) => ({ ...role, ...edit(role) })) } }
      : rest;
const grants =
  (edit: (grant: Grant) => Grant): Mutant =>
  ({ user, ...rest }) =>
    user
      ? {
          ...rest,
          user: {
            ...user,
            roles: user.roles.map((grant) => ({ ...grant, ...edit(grant) })),
            rules: user.rules.map((rule) => ({ ...rule, ...edit(rule) })),
          },
        }
      : rest;

const MUTANTS: Readonly<Record<string, Mutant>> = {
  'denials of roles do not count': roles(() => ({ deny: [] })),
  'direct denials do not count': ({ user, ...rest }) =>
    user
      ? { ...rest, user: { ...user, rules: user.rules.filter(({ effect }) => effect === 'allow') } }
      : rest,
  'nothing is inherited': roles(() => ({ inherits: [] })),
  'inactive roles count': roles(() => ({ active: true })),
  'inactive permissions count': ({ policy, ...rest }) =>
    policy ? { ...rest, policy: { ...policy, inactivePermissions: [] } } : rest,
  'inactive users count': ({ user, ...rest }) => (user ? { ...rest, user: { ...user, active: true } } : rest),
  'a grant ends one moment late': grants(({ until }) => (until === undefined ? {} : { until: until + 1 })),
  'a grant begins one moment early': grants(({ from }) => (from === undefined ? {} : { from: from - 1 })),
  'a grant counts in every tenant': grants(() => ({ tenant: '*' })),
  'a last * stands for several segments': roles(({ allow }) => ({
    allow: allow.map((pattern) => pattern.replace(/^(\w+):\*$/, '$1:**')),
  })),
};

/** The first world of which rbac and the evaluator disagree; undefined if there is none. */
async function compare(count: number, seed: number, mutant?: Mutant) {
  const random = mulberry32(seed);
  const ends: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const world = randomWorld(random);
    const clock = { now: () => now, monotonic: () => 0 };
    const { now } = randomQuestion(random);
    const store = memoryRoles();
    await store.commit(batchOf(world, 'u'));
    const rbac = createRbac({ permissions, store: mutant ? spoilt(store, mutant) : store, clock });
    for (let question = 0; question < 2; question++) {
      const asked = { ...randomQuestion(random), now };
      const { permission, mine, tenant, scopes } = asked;
      const decision = await rbac.decide(
        { id: 'u', kind: 'user', ...(scopes ? { scopes } : {}) },
        permission,
        {
          owner: mine ? 'u' : 'somebody else',
          ...(tenant === undefined ? {} : { tenant }),
        },
      );
      const expected = bruteForce(world, asked);
      if (decision.allowed !== expected)
        return { world: i, ends, what: { asked, expected, decision, world } };
      // The short way, for who is named by an id alone.
      const plain = { ...asked, mine: false, tenant: undefined, scopes: undefined };
      if ((await rbac.can('u', permission)) !== bruteForce(world, plain))
        return { world: i, ends, what: { asked: plain, world } };
      const end = decision.allowed ? `allowed: ${decision.reason}` : decision.reason;
      ends[end] = (ends[end] ?? 0) + 1;
    }
    await rbac.close();
  }
  return { world: undefined, ends, what: undefined };
}

function spoilt(store: RoleStore, mutant: Mutant): RoleStore {
  return { ...store, load: async (scope, options) => mutant(await store.load(scope, options)) };
}

const lines: string[] = [];
let broken = 0;
function report(holds: boolean, line: string): void {
  lines.push(`- ${holds ? '' : '**does not hold:** '}${line}`);
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${line}`);
  if (!holds) broken++;
}

const compared = await compare(worlds, 1);
const ends = Object.entries(compared.ends).map(([end, count]) => `${end} ${count.toLocaleString('en')}`);
if (compared.what) console.error(JSON.stringify(compared.what));
report(
  compared.world === undefined,
  `${worlds.toLocaleString('en')} random worlds, two questions each, through createRbac(), decide() and can(): ${compared.world === undefined ? 'no disagreement' : `world ${compared.world} disagrees`} (${ends.join(', ')})`,
);
for (const [name, mutant] of Object.entries(MUTANTS)) {
  const found = await compare(5000, 1, mutant);
  report(found.world !== undefined, `control "${name}": found in world ${found.world ?? 'none of 5,000'}`);
}

const random = mulberry32(2);
const seen = { denials: 0, remedies: 0, roles: 0 };
let failure: unknown;
for (let i = 0; i < explanations && failure === undefined; i++) {
  const [world, asked] = [randomWorld(random), randomQuestion(random)];
  const what = await explainFails(world, asked, seen);
  if (what) failure = { i, what, asked, world };
}
if (failure) console.error(JSON.stringify(failure));
report(
  failure === undefined && seen.remedies > explanations / 5,
  `explain() of ${explanations.toLocaleString('en')} random cases: each reason replays to the same decision; of ${seen.denials.toLocaleString('en')} denials ${seen.remedies.toLocaleString('en')} have a remedy, each of which allows it with no step in vain; ${seen.roles.toLocaleString('en')} suggested roles allow it by themselves`,
);

const server = await startPostgres();
const pool = new pg.Pool({ connectionString: server.url });
let [rows, different, partly, blind] = [0, 0, 0, 0];
try {
  const sql = fromPg(pool);
  await makeTable(sql);
  for (let i = 0; i < filters; i++) {
    const { rows: count, found, differences, forgetful } = await compareFilter(sql, random);
    rows += count;
    different += differences.length;
    blind += forgetful;
    if (found > 0 && found < count) partly++;
    if (differences[0]) console.error(JSON.stringify(differences[0]));
  }
} finally {
  await pool.end();
  await server.stop();
}
report(
  different === 0 && partly > filters / 20,
  `where().toSql() in ${filters.toLocaleString('en')} random worlds on PostgreSQL, ${rows.toLocaleString('en')} rows: ${different} differ from can() (${partly.toLocaleString('en')} filters find some rows and not all)`,
);
report(
  blind > 0,
  `control "a filter without the column of the owner": ${blind.toLocaleString('en')} rows differ`,
);

if (flags.write) {
  const folder = new URL('../../../docs/proofs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const head = `# rbac against a brute-force evaluator\n\n\`pnpm prove:worlds --write\`, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}.`;
  writeFileSync(new URL('worlds.md', folder), `${head}\n\n${lines.join('\n')}\n`);
}
process.exit(broken === 0 ? 0 : 1);
