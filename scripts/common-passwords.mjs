// node scripts/common-passwords.mjs [folder of vectors]: makes packages/auth/src/passwords/common-list.ts from Django's list of
// common passwords (django/contrib/auth/common-passwords.txt.gz; pnpm vectors downloads it).
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = process.argv[2] ?? process.env.PORTCULLIS_VECTORS ?? join(root, '..', 'shared', 'vectors');
const lines = readFileSync(join(folder, 'passwords', 'django_common_passwords_20k.txt'), 'utf8').split('\n');
// No policy allows fewer than eight characters.
const words = [
  ...new Set(lines.map((line) => line.trim().toLowerCase()).filter((word) => word.length >= 8)),
].toSorted((a, b) => (a < b ? -1 : 1));

// Each line: how many characters it shares with the one before (one digit of base 36), and the rest.
const coded = words.map((word, i) => {
  const before = words[i - 1] ?? '';
  let shared = 0;
  while (shared < 35 && shared < word.length && word[shared] === before[shared]) shared++;
  return shared.toString(36) + word.slice(shared);
});
const text = brotliCompressSync(Buffer.from(coded.join('\n'))).toString('base64');

writeFileSync(
  join(root, 'packages', 'auth', 'src', 'passwords', 'common-list.ts'),
  `/**
 * ${words.length} passwords of at least eight characters from Django's list of common passwords (Django Software Foundation,
 * BSD-3-Clause; collected by Royce Williams from breaches). Made by scripts/common-passwords.mjs: sorted, each with the number
 * of characters that it shares with the one before, compressed by Brotli.
 */
export const COMMON_PASSWORDS = \`
${text.match(/.{1,120}/g).join('\n')}
\`;
`,
);
