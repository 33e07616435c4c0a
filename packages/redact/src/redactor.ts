import { createHmac } from 'node:crypto';
import { option, OptionError, readOptions, type Secret } from '@portcullis/core';
import { compileNames } from './name-rules.js';
import { mayOccurIn, SecretIndex } from './secret-index.js';
import { escapeControls } from './text/decode.js';
import { compileText, VALUE_RULES, type ValueRule } from './text/scan.js';
import { cover, MASK } from './text/spans.js';
import { sweep } from './sweep.js';
import { UNSERIALISABLE } from './markers.js';
import { startRun, type Finding } from './run.js';
import { compileWalk } from './walk.js';

export interface RedactLimits {
  /** Levels of nesting. Integer 1 to 200. @default 32 */
  readonly depth?: number;
  /** Values in one event. Integer 1 to 1,000,000. @default 50,000 */
  readonly nodes?: number;
  /** Characters of one string that are kept. Integer 16 to 1,000,000. @default 8,192 */
  readonly string?: number;
}

export interface RedactorOptions {
  /**
   * More names that hold secrets, beside the built-in ones: a string is matched word by word in any spelling
   * (`'iban'` covers `userIban` and `IBAN`), a pattern is tested on the lower-case name. @default []
   */
  readonly keys?: readonly (string | RegExp)[];
  /** Names, in any spelling, that are never secret by name. What their values hold is still looked at. @default [] */
  readonly allow?: readonly string[];
  /** What is looked for inside strings. @default all */
  readonly values?: readonly ValueRule[];
  /** Secrets of this process, masked wherever they show up, from 6 characters. @default [] */
  readonly known?: readonly (string | Secret<string>)[];
  readonly limits?: RedactLimits;
  /**
   * `'mask'` writes `[REDACTED]`; `'pseudonym'` writes `[REDACTED:<HMAC-SHA-256, 96 bits>]`, so that equal secrets can
   * be told from different ones; `'drop'` leaves out properties and cuts secrets out of strings. @default 'mask'
   */
  readonly mode?: 'mask' | 'pseudonym' | 'drop';
  /** For `mode: 'pseudonym'`, and required there: at least 32 bytes. */
  readonly pseudonymKey?: string | Secret<string>;
}

export interface Redactor {
  /**
   * A plain copy (objects, arrays, strings, numbers, booleans, null) without secrets. Never throws, never changes its
   * input, takes time linear in it; what the limits cut off is marked `[Truncated:...]`.
   * Property accessors, `toJSON` and proxy traps of the input are called once each; their faults become `[Unreadable]`.
   */
  redact(value: unknown): unknown;
  /** {@link redact} as one line of JSON, with control and bidirectional characters escaped. */
  stringify(value: unknown): string;
  /** Where secrets were found and by which rule; for tests and reviews. Holds no secrets. */
  explain(value: unknown): readonly Finding[];
}

/**
 * Builds a redactor: names in any spelling at any depth, secrets inside strings, and the same secret elsewhere in the
 * same event.
 * @throws OptionError
 * @see OWASP Logging Cheat Sheet, "Data to exclude"; ASVS 5.0 V16.2.5
 */
export function createRedactor(options: RedactorOptions = {}): Redactor {
  const { keys, allow, values, known, limits, mode, pseudonymKey } = readOptions('redact', options, {
    keys: option.array(nameOption, { default: [] }),
    allow: option.array(option.string({ max: 256 }), { default: [] }),
    values: option.array(option.oneOf(VALUE_RULES), { default: VALUE_RULES }),
    known: option.array(option.secret({ minBytes: 1 }), { default: [] }),
    limits: option.group({
      depth: option.integer({ min: 1, max: 200, default: 32 }),
      nodes: option.integer({ min: 1, max: 1_000_000, default: 50_000 }),
      string: option.integer({ min: 16, max: 1_000_000, default: 8_192 }),
    }),
    mode: option.oneOf(['mask', 'pseudonym', 'drop'], 'mask'),
    pseudonymKey: option.optional(option.secret({ minBytes: 32 })),
  });
  if (mode === 'pseudonym' && pseudonymKey === undefined) {
    throw new OptionError(
      'E_OPTION_REQUIRED',
      'redact',
      'pseudonymKey',
      "mode 'pseudonym' needs pseudonymKey",
    );
  }
  const knownSecrets = new SecretIndex();
  for (const secret of known) knownSecrets.add(secret.reveal(), 'known');

  const wanted = new Set(values);
  const classify = compileNames(keys, allow);
  const scan = compileText(wanted, classify);
  const replace = replacement(mode, pseudonymKey);
  const walk = compileWalk({ classify, scan, wanted, limits, replace, drop: mode === 'drop' });

  function clean(value: unknown, findings?: Finding[]): Cleaned {
    const state = startRun(findings);
    const copy = walk(value, state);
    if (state.taints.length === 0 && knownSecrets.size === 0) return { copy, unsafe: state.unsafe };
    const json = JSON.stringify(copy) ?? 'null';
    if (!knownSecrets.mayOccurIn(json) && !mayOccurIn(json, state.taints)) {
      return { copy, json, unsafe: state.unsafe };
    }
    const secrets = new SecretIndex(knownSecrets);
    for (const secret of state.taints) secrets.add(secret, 'taint');
    const swept = sweep(copy, secrets, replace, state);
    // A path is made of names, and a name may hold what was found to be a secret only later.
    findings?.forEach((finding, i) => {
      findings[i] = { ...finding, path: cover(finding.path, secrets.find(finding.path), () => MASK) };
    });
    return { copy: swept, unsafe: state.unsafe };
  }

  const total = (value: unknown, findings?: Finding[]): Cleaned => {
    try {
      return clean(value, findings);
    } catch {
      return { copy: UNSERIALISABLE, unsafe: false };
    }
  };

  return Object.freeze({
    redact: (value: unknown) => total(value).copy,
    stringify(value: unknown) {
      try {
        const { copy, json = JSON.stringify(copy) ?? 'null', unsafe } = total(value);
        return unsafe ? escapeControls(json) : json;
      } catch {
        return JSON.stringify(UNSERIALISABLE);
      }
    },
    explain(value: unknown) {
      const findings: Finding[] = [];
      total(value, findings);
      return findings;
    },
  });
}

interface Cleaned {
  readonly copy: unknown;
  /** The copy as JSON, where somebody needed it already. */
  readonly json?: string;
  readonly unsafe: boolean;
}

function nameOption(value: unknown, owner: string, path: string): string | RegExp {
  if (typeof value === 'string' && value !== '' && value.length <= 256) return value;
  if (value instanceof RegExp || Object.prototype.toString.call(value) === '[object RegExp]') {
    return value as RegExp;
  }
  throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be a non-empty string or a RegExp`);
}

function replacement(mode: string, key: Secret<string> | undefined): (secret: string) => string {
  if (mode === 'drop') return () => '';
  if (mode === 'mask' || key === undefined) return () => MASK;
  return (secret) => {
    const pseudonym = createHmac('sha256', key.reveal()).update(secret).digest().subarray(0, 12);
    return `[REDACTED:${pseudonym.toString('base64url')}]`;
  };
}
