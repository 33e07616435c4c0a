import { readFileSync } from 'node:fs';

/** One requirement of OWASP ASVS 5.0 that this product can carry, whole or in part. */
export interface Requirement {
  readonly id: string;
  readonly level: 1 | 2 | 3;
  readonly package: string;
  readonly kind: 'package-test' | 'package-test-partial' | 'example-app-test';
  /** In our words: what a test of it shows. */
  readonly shows: string;
}

/**
 * Packages that are declared complete: every `package-test` row of theirs must be shown by tests that pass. The rows of all
 * others are listed, and count once their package stands here.
 */
export const COMPLETE: readonly string[] = [
  'audit',
  'auth',
  'config',
  'core',
  'csrf',
  'errors',
  'headers',
  'rate-limit',
  'rbac',
  'redact',
  'validation',
];

/** A path or a `file:` URL. */
export function readRequirements(file: string | URL): readonly Requirement[] {
  return (JSON.parse(readFileSync(file, 'utf8')) as { requirements: readonly Requirement[] }).requirements;
}

export const REQUIREMENTS_FILE = new URL('../requirements.json', import.meta.url);
