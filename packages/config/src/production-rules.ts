import { parseUrl } from '@portcullis/core';
import { createHash } from 'node:crypto';
import type { ConfigProblem } from './config-error.js';
import { plaintextProblem } from './plaintext-url.js';
import type { Setting } from './setting.js';
import type { Found, Sources } from './sources.js';
import { isHopelessPassword, weaknessOf } from './weak-secret.js';

/**
 * Node stops checking the certificates of every server that this process talks to if this variable is `0`, whatever the
 * code says.
 */
export function unverifiedTlsProblem(sources: Sources): ConfigProblem[] {
  const name = 'NODE_TLS_REJECT_UNAUTHORIZED';
  const found = sources.find(name, []);
  if (found?.text !== '0') return [];
  const message =
    'switches off the check of every certificate; remove it, and trust an own CA by NODE_EXTRA_CA_CERTS';
  return [{ code: 'E_CONFIG_TLS_UNVERIFIED', name, message, source: found.source }];
}

export interface Candidate {
  readonly name: string;
  readonly setting: Setting;
  readonly found: Found;
  /** What the text was read as, before a secret is wrapped. */
  readonly value: unknown;
}

/** What production refuses in texts that are otherwise valid. `samples` are the texts of sample files, by name. */
export function productionProblems(
  candidates: readonly Candidate[],
  samples: readonly Readonly<Record<string, string | undefined>>[],
): ConfigProblem[] {
  const secrets = candidates.filter(({ setting }) => setting.secret);
  return [
    ...secrets.flatMap((candidate) => sampleProblem(candidate, samples)),
    ...secrets.flatMap(weakProblem),
    ...sharedProblems(secrets),
    ...candidates.flatMap(plaintextProblems),
  ];
}

/** Why production would refuse this secret as weak, or undefined. */
export function secretWeakness({ setting, found }: Candidate): string | undefined {
  if (setting.type === 'url') {
    const { password, username } = credentials(found.text);
    if (password === '' || !isHopelessPassword(password, username)) return undefined;
    return 'carries a default or very short password';
  }
  const { minEntropyBits } = setting.production;
  return minEntropyBits === undefined ? undefined : weaknessOf(found.text, minEntropyBits);
}

function weakProblem(candidate: Candidate): ConfigProblem[] {
  const weakness = secretWeakness(candidate);
  if (weakness === undefined) return [];
  const message = `${weakness}; make one with: openssl rand -base64 32`;
  return [{ code: 'E_CONFIG_SECRET_WEAK', name: candidate.name, message, source: candidate.found.source }];
}

function sampleProblem(
  { name, setting, found }: Candidate,
  samples: readonly Readonly<Record<string, string | undefined>>[],
): ConfigProblem[] {
  const message =
    found.source === 'default'
      ? 'the default of the declaration is for development only; set a value of its own'
      : setting.production.samples?.includes(found.text) ||
          samples.some((sample) => Object.hasOwn(sample, name) && sample[name] === found.text)
        ? 'is a published sample value; set a value of its own'
        : undefined;
  return message ? [{ code: 'E_CONFIG_SECRET_SAMPLE', name, message, source: found.source }] : [];
}

function sharedProblems(secrets: readonly Candidate[]): ConfigProblem[] {
  const owners = new Map<string, Candidate[]>();
  for (const candidate of secrets) {
    const { setting, found } = candidate;
    const text = setting.type === 'url' ? credentials(found.text).password : found.text;
    if (text === '') continue;
    const digest = createHash('sha256').update(text).digest('hex');
    owners.set(digest, [...(owners.get(digest) ?? []), candidate]);
  }
  return [...owners.values()].flatMap((group) => {
    // Several URLs may well use one account; a key may not be the password of one.
    const keys = group.filter(({ setting }) => setting.type !== 'url');
    // One setting that must not share is enough; the exception has to be declared by each.
    if (group.length < 2 || keys.every(({ setting }) => setting.production.mayBeShared)) return [];
    const [name = '', ...others] = group.map((candidate) => candidate.name);
    const message = `${others.join(', ')} ${others.length > 1 ? 'hold' : 'holds'} the same secret; a leak of one would be a leak of all`;
    return [{ code: 'E_CONFIG_SECRET_SHARED' as const, name, message }];
  });
}

function plaintextProblems({ name, setting, found, value }: Candidate): ConfigProblem[] {
  if (setting.production.mayBePlaintext !== false) return [];
  const urls: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const url of urls) {
    const instead = typeof url === 'string' ? plaintextProblem(url) : undefined;
    if (instead === undefined) continue;
    const message = `leaves this host without TLS; use ${instead}, or declare dangerouslyAllowPlaintext`;
    return [{ code: 'E_CONFIG_PLAINTEXT_URL', name, message, source: found.source }];
  }
  return [];
}

function credentials(text: string): { readonly username: string; readonly password: string } {
  const { username = '', password = '' } = parseUrl(text) ?? {};
  return { username: decoded(username), password: decoded(password) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
