// pnpm new:package <name> "<one sentence>": copies templates/package and registers it in tsconfig.json.
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [name, description] = process.argv.slice(2);
if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name ?? '') || !description || description.includes('"')) {
  console.error('Usage: pnpm new:package <lower-case-name> "<one sentence>"');
  process.exit(2);
}
const target = join(root, 'packages', name);
if (existsSync(target)) {
  console.error(`packages/${name} exists already.`);
  process.exit(2);
}
cpSync(join(root, 'templates', 'package'), target, { recursive: true });

const camel = name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const words = { __name__: name, __camel__: camel, __description__: description };
for (const entry of readdirSync(target, { recursive: true })) {
  const file = join(target, entry);
  if (statSync(file).isDirectory()) continue;
  let text = readFileSync(file, 'utf8');
  for (const [word, value] of Object.entries(words)) text = text.replaceAll(word, value);
  writeFileSync(file, text);
  if (entry.includes('__name__')) renameSync(file, file.replace('__name__', name));
}

const tsconfig = join(root, 'tsconfig.json');
const config = JSON.parse(readFileSync(tsconfig, 'utf8'));
config.references.push({ path: `packages/${name}` });
config.references.sort((a, b) => a.path.localeCompare(b.path));
writeFileSync(tsconfig, `${JSON.stringify(config, null, 2)}\n`);
console.log(`packages/${name} is there. Next: pnpm install, write the README, add a changeset.`);
