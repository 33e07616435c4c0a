import { createHmac } from 'node:crypto';
import { option, optionConflict, readOptions, type Secret } from '@portcullis/core';
import type { PasswordForms } from './hasher.js';

export interface PepperKey {
  /** Short name that is written beside each hash; never use one twice. 1 to 32 of `a-z A-Z 0-9 _ -`. */
  readonly id: string;
  /** At least 32 bytes, kept apart from the database (a secret store, an HSM's derived key). */
  readonly key: string | Secret<string>;
}

/** A stored text without its mark, and how a password has to be mixed for it; undefined if its key is not there. */
export interface PepperReading {
  readonly inner: string;
  readonly mix: (forms: PasswordForms) => PasswordForms;
  /** True for what {@link Pepper.seal} would write today. */
  readonly current: boolean;
}

export interface Pepper {
  mix(forms: PasswordForms): PasswordForms;
  seal(hash: string): string;
  open(stored: string): PepperReading | { readonly missing: string };
}

const MARK = /^\$pepper\$([A-Za-z0-9_-]{1,32})(\$.+)$/s;

/**
 * A secret that is mixed into passwords before they are hashed, so that a copied database alone cannot be guessed at
 * (OWASP Password Storage Cheat Sheet, "Peppering"; NIST SP 800-63B-4 section 3.1.1.2, keyed hash). The first key makes new
 * hashes; all of them verify, and a hash under another key, or under none, is replaced at the next sign-in.
 */
export function createPepper(keys: readonly PepperKey[], owner: string, path: string): Pepper {
  const ring = keys.map((key, i) => {
    const read = readOptions(
      owner,
      key,
      { id: option.string({ pattern: /^[A-Za-z0-9_-]{1,32}$/ }), key: option.secret({ minBytes: 32 }) },
      `${path}[${i}]`,
    );
    return { id: read.id, secret: read.key };
  });
  if (new Set(ring.map(({ id }) => id)).size < ring.length)
    optionConflict(owner, path, `${path} names one id twice. Give each key an id of its own`);
  const mixerOf = (entry: (typeof ring)[number]) => (forms: PasswordForms) => {
    const mix = (text: string) => createHmac('sha256', entry.secret.reveal()).update(text).digest('base64');
    const normal = mix(forms.normal);
    return { raw: normal, normal };
  };
  const [first] = ring;
  const plain = (forms: PasswordForms) => forms;
  const mix = first ? mixerOf(first) : plain;

  return {
    mix,
    seal: (hash) => (first ? `$pepper$${first.id}${hash}` : hash),
    open(stored) {
      const marked = MARK.exec(stored);
      if (!marked) return { inner: stored, mix: plain, current: !first };
      const [, id = '', inner = ''] = marked;
      const entry = ring.find((one) => one.id === id);
      return entry ? { inner, mix: mixerOf(entry), current: entry === first } : { missing: id };
    },
  };
}
