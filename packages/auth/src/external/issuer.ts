import { isError, type Clock, type Events } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { Algorithm } from '../tokens/algorithms.js';
import type { AccessClaims } from '../tokens/claims.js';
import type { KeySet } from '../tokens/keys.js';
import { buildVerifier, type BuiltVerifier } from '../tokens/verifier.js';
import { FetchFault, fetchJson, type FetchPolicy } from './fetch-json.js';
import { foreignKeys } from './foreign-keys.js';

export interface IssuerSettings {
  readonly issuer: string;
  readonly audience: string;
  /** Where the keys are; undefined: where the provider's discovery document says. */
  readonly jwks: string | undefined;
  readonly types: readonly string[];
  readonly algorithm: Algorithm;
  readonly clockTolerance: number;
  readonly cacheSize: number;
  readonly maxAge: number;
  readonly maxStale: number;
  readonly coolDown: number;
  readonly policy: FetchPolicy;
  readonly clock: Clock;
  readonly events: Events;
}

interface Loaded {
  /** The document, to tell whether it has changed. */
  readonly text: string;
  readonly keys: KeySet;
  /** With the tokens it remembers: another set begins with none. */
  readonly verifier: BuiltVerifier;
  /** Monotonic, from before it was asked for. */
  readonly at: number;
}

export interface ForeignIssuer {
  /** A token that was verified before, bound or not, if it and the keys are still good; costs no signature. */
  recall(token: string): AccessClaims | undefined;
  /** Bound tokens too. @throws E_TOKEN_INVALID | E_TOKEN_EXPIRED (401), E_ISSUER_UNAVAILABLE (503) */
  verify(token: string, kid: string | undefined): Promise<AccessClaims>;
}

/**
 * Keys of one provider, loaded when they are first needed. Older than `maxAge`, they are asked for again on the side; older than
 * `maxStale`, they no longer count. An unknown `kid` asks again at most once in `coolDown`, whatever is sent, and so does a provider that failed.
 */
export function createIssuer(settings: IssuerSettings): ForeignIssuer {
  const { issuer, clock, events, maxAge, maxStale, coolDown } = settings;
  let loaded: Loaded | undefined;
  let loading: Promise<void> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;

  async function load(at: number): Promise<void> {
    try {
      const document = await fetchJson(await keysUrl(settings), settings.policy);
      const text = JSON.stringify(document);
      if (loaded?.text === text) {
        loaded = { ...loaded, at };
        return;
      }
      const keys = foreignKeys(document, settings.algorithm);
      if (!keys) throw new FetchFault('no-usable-keys');
      const { audience, types, clockTolerance, cacheSize } = settings;
      const verifier = buildVerifier({ issuer, audience, types, clockTolerance, cacheSize, keys, clock });
      loaded = { text, keys, verifier, at };
      events.emit({ type: 'auth.issuer-loaded', issuer, keys: keys.all.map(({ kid }) => kid) });
    } catch (error) {
      const reason = error instanceof FetchFault ? error.reason : isError(error) ? error.name : 'unknown';
      events.emit({ type: 'auth.issuer-failed', issuer, reason });
    }
  }

  /** Undefined within the cool-down: nothing will come of waiting. */
  function ask(): Promise<void> | undefined {
    const now = clock.monotonic();
    if (!loading && now - askedAt >= coolDown) {
      askedAt = now;
      loading = load(now).finally(() => (loading = undefined));
    }
    return loading;
  }

  const counts = (): Loaded | undefined =>
    loaded && clock.monotonic() - loaded.at < maxStale ? loaded : undefined;

  return {
    recall: (token) => {
      const current = counts();
      if (current && clock.monotonic() - current.at >= maxAge) void ask();
      return current?.verifier.recall(token);
    },
    async verify(token, kid) {
      let current = counts();
      if (!current || (kid !== undefined && !current.keys.find(kid))) {
        await ask();
        current = counts();
      } else if (clock.monotonic() - current.at >= maxAge) void ask();
      if (!current) {
        throw errors.E_ISSUER_UNAVAILABLE({
          details: { issuer },
          headers: { 'Retry-After': String(Math.ceil(coolDown / 1000)) },
        });
      }
      return current.verifier.verify(token, { bound: true });
    },
  };
}

/** @throws FetchFault */
async function keysUrl({ issuer, jwks, policy }: IssuerSettings): Promise<string> {
  if (jwks !== undefined) return jwks;
  const base = issuer.replace(/\/$/, '');
  const document = await fetchJson(`${base}/.well-known/openid-configuration`, policy);
  // OpenID Connect Discovery 1.0 section 4.3: or a provider could speak for another.
  if (document['issuer'] !== issuer) throw new FetchFault('issuer-mismatch');
  const { jwks_uri: uri } = document;
  if (typeof uri !== 'string') throw new FetchFault('no-jwks-uri');
  return uri;
}
