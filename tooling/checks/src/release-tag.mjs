// node scripts/check.mjs release-tag v1.2.3: every package has this version, and no note is left without a release.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { publishedPackages, report, root } from './workspace.mjs';

const tag = process.argv[2] ?? '';
const checks = report('release');
for (const { folder, manifest } of publishedPackages()) {
  checks.ok(tag === `v${manifest.version}`, `${folder} has version ${manifest.version}, the tag is ${tag}`);
}
const notes = readdirSync(join(root, '.changeset')).filter(
  (name) => name.endsWith('.md') && name !== 'README.md',
);
checks.ok(notes.length === 0, `changesets without a version: ${notes.join(', ')}`);
checks.finish();
