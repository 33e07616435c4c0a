import { generateKeys } from '@portcullis/auth';
import { Secret } from '@portcullis/core';
import { generateKeyPairSync, hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The keys that sign access tokens: from the settings, else generated once and kept beside the data. */
export function loadOrGenerateKeys(given: Secret<string> | undefined, directory: string): Secret<string> {
  return given ?? loadOrGenerate(directory, 'signing-keys.json', () => JSON.stringify(generateKeys()));
}

/** The key that speaks for the audit log. It stays with the log: another key would be another log. */
export function loadOrGenerateAuditKey(given: Secret<string> | undefined, directory: string): Secret<string> {
  return given ?? loadOrGenerate(directory, 'audit-key.pem', ed25519Pem);
}

/** The key that seals the secrets of authenticator apps. It outlives the signing keys: another one opens none of them. */
export function loadOrGenerateFactorKey(
  given: Secret<string> | undefined,
  directory: string,
): Secret<string> {
  return given ?? loadOrGenerate(directory, 'factor-key.txt', () => randomBytes(32).toString('base64url'));
}

/** A key of its own for personal values beside the audit log: it outlives the signing keys too, and stands apart from the database. */
export function auditPeopleKey(factorKey: Secret<string>): Secret<string> {
  return derived(factorKey, 'digital-library audit people');
}

function ed25519Pem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function loadOrGenerate(directory: string, name: string, make: () => string): Secret<string> {
  const file = join(directory, name);
  if (!existsSync(file)) {
    // With a database of its own elsewhere, nobody has made the folder yet.
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, make(), { mode: 0o600 });
    try {
      // link() does not replace: of two processes that start together both use the keys of the first.
      linkSync(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      unlinkSync(draft);
    }
  }
  return new Secret(readFileSync(file, 'utf8'));
}

/** A key of its own for the tokens of forms, the same in every process that has the same signing keys. */
export function formKey(signingKeys: Secret<string>): Secret<string> {
  return derived(signingKeys, 'digital-library forms');
}

function derived(key: Secret<string>, purpose: string): Secret<string> {
  return new Secret(Buffer.from(hkdfSync('sha256', key.reveal(), '', purpose, 32)).toString('base64url'));
}
