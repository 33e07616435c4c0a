import { generateKeys } from '@portcullis/auth';
import { Secret } from '@portcullis/core';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The keys that sign access tokens: from the settings, else generated once and kept beside the data. */
export function loadOrGenerateKeys(given: Secret<string> | undefined, directory: string): Secret<string> {
  if (given !== undefined) return given;
  const file = join(directory, 'signing-keys.json');
  if (!existsSync(file)) {
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(generateKeys()), { mode: 0o600 });
    renameSync(draft, file);
  }
  return new Secret(readFileSync(file, 'utf8'));
}
