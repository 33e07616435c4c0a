import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import type { Clock, Random, Secret } from '@portcullis/core';
import { canonicalJson } from '../canonical-json.js';
import { cleaned } from '../clean-text.js';
import type { DraftBody } from '../entry.js';
import type { SealedValue } from '../store.js';
import { isCommitment, replaceFields, type PersonalField } from './fields.js';

export interface PeopleDeps {
  readonly key: Secret<string>;
  readonly fields: readonly PersonalField[];
  readonly clock: Clock;
  readonly random: Random;
}

/** The key of one person, for as long as this process uses it. */
interface SubjectKey {
  readonly id: string;
  readonly key: KeyObject;
  readonly wrapped: string;
  /** When it was made, in milliseconds since 1970. */
  readonly since: number;
  readonly retireAt: number;
}

/** A personal value with the salt of its commitment: who has both can tell that it is the one. */
export interface OpenedValue {
  readonly commitment: string;
  /** 32 bytes, base64url. */
  readonly salt: string;
  readonly value: unknown;
}

const LIFETIME_MS = 15 * 60_000;
const MAX_KEYS = 1_000;
const IV = 12;
const TAG = 16;
const SALT = 32;

/** What is shown of a value whose person was erased. */
export const ERASED = '[Erased]';

/**
 * Takes personal values out of entries before anything is written: in the entry stays a commitment, an HMAC under a salt of 256 bits
 * (RFC 2104), which says nothing without the salt; salt and value go beside the log, under a key of the person (AES-256-GCM) that
 * is itself wrapped by the key of the app. Every process has keys of its own for a person, so that none has to be asked for; they
 * go with the person's rows. A key object cannot be wiped from Node's memory: it is dropped within 15 minutes.
 */
export class People {
  readonly #deps: PeopleDeps;
  readonly #wrapping: KeyObject;
  readonly #naming: KeyObject;
  readonly #keys = new Map<string, SubjectKey>();
  /** People that this process has erased, and when: their next key is younger than that. */
  readonly #erased = new Map<string, number>();

  constructor(deps: PeopleDeps) {
    this.#deps = deps;
    this.#wrapping = derived(deps.key, 'portcullis-audit wrap v1');
    this.#naming = derived(deps.key, 'portcullis-audit subject v1');
  }

  /** Pseudonym of a person beside the log, gone with them. */
  subjectOf(id: string): string {
    return this.#name('person', id);
  }

  /** Values of nobody who is known are found by themselves. */
  subjectOfValue(value: unknown): string {
    return this.#name('value', canonicalJson(cleaned(value)));
  }

  /** Takes personal values out of a draft. */
  seal(draft: DraftBody): { readonly draft: DraftBody; readonly sealed: readonly SealedValue[] } {
    const { actor, target } = draft.e;
    const ids = { actor: actor.id, target: target?.id };
    const sealed: SealedValue[] = [];
    const copy = structuredClone(draft);
    replaceFields(copy, this.#deps.fields, (value, { path, owner }) => {
      const id = ids[owner];
      const subject = id === undefined ? this.subjectOfValue(value) : this.subjectOf(id);
      const one = this.#sealValue(value, subject, path);
      sealed.push(one);
      return { $c: one.commitment };
    });
    return sealed.length === 0 ? { draft, sealed } : { draft: copy, sealed };
  }

  /** The same entry with its values; those of erased people are named so. */
  open<T>(value: T, sealed: ReadonlyMap<string, SealedValue>): T {
    if (isCommitment(value)) {
      const one = sealed.get(value.$c);
      return (one ? this.#openValue(one) : ERASED) as T;
    }
    if (Array.isArray(value)) return value.map((item: unknown) => this.open(item, sealed)) as T;
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]: [string, unknown]) => [key, this.open(item, sealed)]),
    ) as T;
  }

  /** What shows to others which value a commitment is about; undefined for what does not open. */
  opening(sealed: SealedValue): OpenedValue | undefined {
    const plain = this.#decrypt(sealed);
    return (
      plain && {
        commitment: sealed.commitment,
        salt: plain.subarray(0, SALT).toString('base64url'),
        value: JSON.parse(plain.subarray(SALT).toString('utf8')) as unknown,
      }
    );
  }

  /** The personal fields of this app, by the names they were given. @throws TypeError for one that is none */
  fieldsNamed(paths: readonly string[]): readonly PersonalField[] {
    return paths.map((path) => {
      const field = this.#deps.fields.find((one) => one.path === path);
      if (!field) throw new TypeError(`${JSON.stringify(path)} is no field of the option personal.`);
      return field;
    });
  }

  /** What was sealed before `at` is not opened any more. */
  forget(subject: string, at: number): void {
    this.#keys.delete(subject);
    this.#erased.set(subject, at);
    if (this.#erased.size > MAX_KEYS) this.#erased.delete(this.#erased.keys().next().value!);
  }

  #sealValue(value: unknown, subject: string, path: string): SealedValue {
    const { id, key, wrapped, since } = this.#keyOf(subject);
    const { random } = this.#deps;
    const salt = Buffer.from(random.bytes(SALT));
    const text = canonicalJson(cleaned(value));
    const commitment = commitmentOf(salt, text);
    const plain = Buffer.concat([salt, Buffer.from(text)]);
    return {
      commitment,
      subject,
      path,
      key: id,
      wrapped,
      since,
      value: encrypted(key, plain, `${subject} ${commitment}`, random),
    };
  }

  /** @returns ERASED for what does not open: a row that was changed tells nothing */
  #openValue(sealed: SealedValue): unknown {
    const opened = this.opening(sealed);
    return opened ? opened.value : ERASED;
  }

  /** Salt and value. */
  #decrypt({ subject, key: id, wrapped, value, commitment }: SealedValue): Buffer | undefined {
    try {
      const key = createSecretKey(decrypted(this.#wrapping, wrapped, `${subject} ${id}`));
      const plain = decrypted(key, value, `${subject} ${commitment}`);
      return commitmentOf(plain.subarray(0, SALT), plain.subarray(SALT)) === commitment ? plain : undefined;
    } catch {
      return undefined;
    }
  }

  #keyOf(subject: string): SubjectKey {
    const { clock, random } = this.#deps;
    const known = this.#keys.get(subject);
    if (known && clock.monotonic() < known.retireAt) return known;
    const raw = Buffer.from(random.bytes(32));
    const id = Buffer.from(random.bytes(12)).toString('base64url');
    const made: SubjectKey = {
      id,
      key: createSecretKey(raw),
      wrapped: encrypted(this.#wrapping, raw, `${subject} ${id}`, random),
      since: Math.max(clock.now(), (this.#erased.get(subject) ?? -1) + 1),
      retireAt: clock.monotonic() + LIFETIME_MS,
    };
    raw.fill(0);
    this.#keys.delete(subject);
    this.#keys.set(subject, made);
    if (this.#keys.size > MAX_KEYS) this.#keys.delete(this.#keys.keys().next().value!);
    return made;
  }

  #name(kind: string, text: string): string {
    return createHmac('sha256', this.#naming).update(`${kind}\0${text}`).digest('base64url');
  }
}

/** HMAC-SHA-256 (RFC 2104) under the salt over the canonical JSON of the value. */
export function commitmentOf(salt: Buffer, text: Buffer | string): string {
  return createHmac('sha256', salt).update(text).digest('base64url');
}

function derived(key: Secret<string>, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key.reveal(), '', purpose, 32)));
}

function encrypted(key: KeyObject, plain: Buffer, about: string, random: Random): string {
  const iv = Buffer.from(random.bytes(IV));
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(about));
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

function decrypted(key: KeyObject, text: string, about: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV), { authTagLength: TAG });
  decipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(-TAG));
  return Buffer.concat([decipher.update(bytes.subarray(IV, -TAG)), decipher.final()]);
}
