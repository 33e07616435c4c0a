// pnpm prove:<name> [--short] [options]: the long proofs. Installs first what only they need.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const proofs = {
  benchmarks: { home: 'benchmarks', file: 'src/run.ts', built: true },
  costs: { home: 'benchmarks', file: 'src/costs.ts', built: true },
  walk: { home: 'tooling/proofs', file: 'src/walk.ts' },
  corpus: { home: 'tooling/proofs', file: 'src/corpus.ts' },
  observatory: { home: 'tooling/proofs', file: 'src/observatory.ts' },
  attacks: { home: 'tooling/proofs', file: 'src/attacks.ts' },
  auditlog: { home: 'tooling/proofs', file: 'src/auditlog.ts', built: true },
  worlds: { home: 'tooling/proofs', file: 'src/worlds.ts' },
  coherence: { home: 'tooling/proofs', file: 'src/coherence.ts' },
  limits: { home: 'tooling/proofs', file: 'src/limits.ts' },
  malformed: { home: 'tooling/proofs', file: 'src/malformed.ts' },
  mutation: { home: 'tooling/proofs', file: 'src/mutation.ts' },
  mutants: { home: 'tooling/proofs', file: 'src/mutants.ts' },
  kill: { home: 'tooling/proofs', file: 'src/kill.ts' },
  tokens: { home: 'tooling/proofs', file: 'src/tokens.ts' },
  refresh: { home: 'tooling/proofs', file: 'src/refresh.ts' },
  provider: { home: 'tooling/proofs', file: 'src/provider.ts' },
  passkeys: { home: 'tooling/proofs', file: 'src/passkeys.ts' },
  revocation: { home: 'tooling/proofs', file: 'src/revocation.ts' },
  guesses: { home: 'tooling/proofs', file: 'src/guesses.ts' },
  enumeration: { home: 'tooling/proofs', file: 'src/enumeration.ts' },
  flood: { home: 'tooling/proofs', file: 'src/flood.ts' },
  uploads: { home: 'tooling/proofs', file: 'src/uploads.ts' },
  loss: { home: 'tooling/proofs', file: 'src/loss.ts' },
  // Times of rules, not of the young generation, whose collections begin between one length of a text and twice that.
  redact: {
    home: 'tooling/proofs',
    file: 'src/redact.ts',
    flags: ['--min-semi-space-size=64', '--max-semi-space-size=128'],
  },
  changes: { home: 'tooling/proofs', file: 'src/changes.ts' },
  sanitize: { home: 'tooling/proofs', file: 'src/sanitize.ts' },
};

const [name = '', ...options] = process.argv.slice(2);
const proof = Object.hasOwn(proofs, name) ? proofs[name] : undefined;
if (!proof) {
  console.error(`Usage: node scripts/prove.mjs <${Object.keys(proofs).join(' | ')}> [--short]`);
  process.exit(2);
}
if (!existsSync(join(root, proof.home, 'node_modules'))) {
  const windows = process.platform === 'win32';
  const pnpm = join(root, 'node_modules', '.bin', windows ? 'pnpm.cmd' : 'pnpm');
  const flags = ['install', '--frozen-lockfile', '--prefer-offline', '--config.confirmModulesPurge=false'];
  run(pnpm, [...flags, '--config.minimumReleaseAge=0'], windows);
}
// Source loaded through a TypeScript loader is not what users run: figures are taken from the built packages.
if (proof.built)
  run(join(root, 'node_modules', '.bin', 'turbo'), ['run', 'build', '--output-logs=errors-only']);
run(process.execPath, [
  ...(proof.flags ?? []),
  '--conditions=@portcullis/source',
  '--import',
  'tsx',
  join(root, proof.home, proof.file),
  ...options,
]);

function run(command, args, shell = false) {
  // turbo looks for pnpm in PATH.
  const PATH = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH, TURBO_TELEMETRY_DISABLED: '1' };
  const { status } = spawnSync(command, args, { cwd: root, shell, stdio: 'inherit', env });
  if (status !== 0) process.exit(status ?? 1);
}
