// node scripts/check.mjs sbom <folder>: a CycloneDX bill of materials for each package, from the lockfile.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pnpmBin, publishedPackages, report, root } from './workspace.mjs';

const target = resolve(process.argv[2] ?? 'release');
const checks = report('SBOM');
mkdirSync(target, { recursive: true });
for (const { folder, manifest } of publishedPackages()) {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--prod', '--filter', manifest.name];
  const { status, stdout, stderr } = spawnSync(pnpmBin(), args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  if (!checks.ok(status === 0, `${folder}: pnpm sbom fails: ${stderr}`)) continue;
  const bill = JSON.parse(stdout.slice(stdout.indexOf('{')));
  const names = new Set(
    (bill.components ?? []).map(({ group, name }) => (group ? `${group}/${name}` : name)),
  );
  const missing = Object.keys(manifest.dependencies ?? {}).filter((name) => !names.has(name));
  checks.ok(missing.length === 0, `${folder}: the bill does not list ${missing.join(', ')}`);
  writeFileSync(join(target, `portcullis-${folder}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);
}
checks.finish();
