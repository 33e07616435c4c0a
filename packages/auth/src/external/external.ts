import {
  ALLOW,
  ensureContext,
  freezePrincipal,
  guard,
  isAuthenticated,
  isSecurityError,
  noEvents,
  option,
  OptionError,
  readOptions,
  systemClock,
  type Clock,
  type Duration,
  type Events,
  type Middleware,
  type Principal,
} from '@portcullis/core';
import { inProduction } from '../environment.js';
import { algorithms, type Algorithm } from '../tokens/algorithms.js';
import type { AccessClaims } from '../tokens/claims.js';
import { parseHeader, parseObject, parseToken } from '../tokens/parse.js';
import { faultOf, refusalOf } from '../tokens/token-errors.js';
import { ACCESS_TYPE } from '../tokens/verifier.js';
import type { VerifyOptions } from '../tokens/verifier.js';
import { authorizationOf, type Authorization } from '../transport/authorization.js';
import { createDpop, type DpopOptions } from '../transport/dpop.js';
import { createMutualTls, type MutualTlsOptions } from '../transport/mutual-tls.js';
import { assertSender, rechallenge, schemesOf } from '../transport/sender.js';
import { judgeUrl, type FetchFault } from './fetch-json.js';
import { foreignPrincipal } from './foreign-principal.js';
import { createIssuer, type ForeignIssuer } from './issuer.js';

export interface ExternalIssuer {
  /** The exact value of `iss`, an https URL. */
  readonly issuer: string;
  /** Our name at this provider: one of the values of `aud` must be exactly this. */
  readonly audience: string;
  /** The https URL of the JWK Set, or `discover`: read it from `<issuer>/.well-known/openid-configuration`. @default 'discover' */
  readonly jwks?: string;
  /** Values of `typ` that are taken. Add `JWT` for a provider that predates RFC 9068. @default ['at+jwt'] */
  readonly types?: readonly string[];
  /** Of keys that do not name theirs, as some providers publish RSA keys. @default 'RS256' */
  readonly algorithm?: Exclude<Algorithm, `HS${string}`>;
  /** Who that is here. @default id `<iss>|<sub>`, scopes of `scope`, client of `client_id` or `azp` */
  readonly principal?: (claims: AccessClaims) => Principal | Promise<Principal>;
}

export interface ExternalOptions {
  /** Keys older than this are asked for again on the side, 1 min to 24 h. @default '10m' */
  readonly maxAge?: Duration;
  /** Keys older than this no longer count: 503 if the provider cannot be reached. Up to 7 d. @default '1h' */
  readonly maxStale?: Duration;
  /** A provider is asked at most once in this time, whatever is sent. 1 s to 10 min. @default '30s' */
  readonly coolDown?: Duration;
  /** How long a provider may take, 100 ms to 30 s. @default '5s' */
  readonly timeout?: Duration;
  /** How far the clocks may differ, at most 60 s. @default '5s' */
  readonly clockTolerance?: Duration;
  /** Verified tokens remembered per provider, 0 to 1,000,000. @default 5000 */
  readonly cacheSize?: number;
  /** Take tokens that are bound to a key of the sender (RFC 9449). @default none: bound tokens are refused */
  readonly dpop?: DpopOptions;
  /** Take tokens that are bound to a certificate of the sender (RFC 8705). @default none: bound tokens are refused */
  readonly mutualTls?: MutualTlsOptions;
  /** Allows providers on this machine, over http too. Refused in production. @default false */
  readonly dangerouslyAllowLocal?: boolean;
  /** @default NODE_ENV is "production" */
  readonly production?: boolean;
  readonly clock?: Clock;
  readonly events?: Events;
}

export interface External extends Middleware {
  /** True for a token that says it is from one of the issuers; nothing of it has been verified. */
  claims(token: string): boolean;
  /** @throws E_TOKEN_INVALID | E_TOKEN_EXPIRED (401), E_ISSUER_UNAVAILABLE (503) */
  verify(
    token: string,
    options?: VerifyOptions,
  ): Promise<{ readonly claims: AccessClaims; readonly principal: Principal }>;
}

/**
 * Stage 6 for access tokens of foreign OpenID providers: a good bearer token becomes the principal, a bad one a 401, none leaves the
 * request anonymous. The issuer is chosen by the exact value of `iss` among the configured ones before anything is fetched, and only its own
 * keys can verify its tokens. Addresses of this network, redirects, and documents over 256 kB are refused.
 * @throws OptionError
 */
export function external(issuers: readonly ExternalIssuer[], options: ExternalOptions = {}): External {
  const owner = 'external';
  const shared = readOptions(owner, options, {
    maxAge: option.duration({ minMs: 60_000, maxMs: 86_400_000, default: '10m' }),
    maxStale: option.duration({ minMs: 60_000, maxMs: 7 * 86_400_000, default: '1h' }),
    coolDown: option.duration({ minMs: 1_000, maxMs: 600_000, default: '30s' }),
    timeout: option.duration({ minMs: 100, maxMs: 30_000, default: '5s' }),
    clockTolerance: option.duration({ maxMs: 60_000, default: '5s' }),
    cacheSize: option.integer({ min: 0, max: 1_000_000, default: 5_000 }),
    dpop: option.optional(option.port<DpopOptions>([])),
    mutualTls: option.optional(option.port<MutualTlsOptions>([])),
    dangerouslyAllowLocal: option.boolean(false),
    production: option.boolean(inProduction()),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { dangerouslyAllowLocal: local, production, events, timeout, maxAge, maxStale } = shared;
  const refuse = (code: 'E_OPTION_CONFLICT' | 'E_OPTION_VALUE', path: string, problem: string): never => {
    throw new OptionError(code, owner, path, problem);
  };
  if (local && production) {
    refuse(
      'E_OPTION_CONFLICT',
      'dangerouslyAllowLocal',
      'dangerouslyAllowLocal opens this machine to whoever is an issuer and is refused in production. Leave it out',
    );
  }
  if (maxStale < maxAge) refuse('E_OPTION_CONFLICT', 'maxStale', 'maxStale must be at least maxAge');
  const given = option.array(issuerReader, { min: 1, max: 64 })(issuers, owner, 'issuers');
  const policy = { local, timeoutMs: timeout, maxBytes: 262_144 };
  const byIssuer = new Map<string, Entry>();
  for (const [i, one] of given.entries()) {
    const path = `issuers[${i}]`;
    if (byIssuer.has(one.issuer)) {
      refuse(
        'E_OPTION_VALUE',
        `${path}.issuer`,
        `${path}.issuer names an issuer that another entry names too`,
      );
    }
    if (one.issuer.includes('|') || one.issuer.includes('?'))
      refuse('E_OPTION_VALUE', `${path}.issuer`, `${path}.issuer must have neither "|" nor a query`);
    for (const [name, url] of [
      ['issuer', one.issuer],
      ['jwks', one.jwks],
    ] as const) {
      if (url === 'discover') continue;
      try {
        judgeUrl(url, policy);
      } catch (error) {
        const { reason } = error as FetchFault;
        refuse(
          'E_OPTION_VALUE',
          `${path}.${name}`,
          `${path}.${name} must be an https URL of the public internet (${reason})`,
        );
      }
    }
    const jwks = one.jwks === 'discover' ? undefined : one.jwks;
    byIssuer.set(one.issuer, {
      issuer: createIssuer({ ...shared, ...one, jwks, policy }),
      principal: one.principal ?? foreignPrincipal,
    });
  }
  const entries = [...byIssuer.values()];
  const constraints = {
    dpop: shared.dpop && createDpop(shared.dpop, shared),
    mutualTls: shared.mutualTls && createMutualTls(shared.mutualTls),
  };

  const verify: External['verify'] = async (token, { bound = false } = {}) => {
    const found = await judge(token);
    if (found.claims.cnf !== undefined && !bound) throw refusalOf('claim-cnf');
    return found;
  };

  async function judge(token: string): Promise<Awaited<ReturnType<External['verify']>>> {
    for (const { issuer, principal } of entries) {
      const claims = issuer.recall(token);
      if (claims) return { claims, principal: freezePrincipal(await principal(claims)) };
    }
    const parts = parseToken(token);
    if (typeof parts === 'string') throw refusalOf(parts);
    const header = parseHeader(parts.head);
    if (typeof header === 'string') throw refusalOf(header);
    // Exactly one of ours, or nobody is asked anything.
    const entry = byIssuer.get(parseObject(parts.payload)?.['iss'] as string);
    if (!entry) throw refusalOf('claim-iss');
    const claims = await entry.issuer.verify(token, header.kid);
    return { claims, principal: freezePrincipal(await entry.principal(claims)) };
  }

  const middleware = guard(
    owner,
    { stage: 'identify', detail: given.map(({ issuer }) => issuer).join(', '), events },
    async (req, res) => {
      const security = ensureContext(req, shared);
      if (isAuthenticated(security.principal)) return ALLOW;
      let credential: Authorization | undefined;
      try {
        credential = authorizationOf(req, schemesOf(constraints));
        if (!credential) return ALLOW;
        const { claims, principal } = await verify(credential.token, { bound: true });
        await assertSender(claims, credential, { req, res }, constraints);
        security.principal = principal;
        return ALLOW;
      } catch (error) {
        if (isSecurityError(error) && error.status === 401)
          events.emit({ type: 'auth.token-refused', reason: faultOf(error) });
        throw rechallenge(error, credential, constraints);
      }
    },
  );

  return Object.assign(middleware, {
    claims: (token: string) => {
      const parts = parseToken(token);
      return typeof parts !== 'string' && byIssuer.has(parseObject(parts.payload)?.['iss'] as string);
    },
    verify,
  });
}

interface Entry {
  readonly issuer: ForeignIssuer;
  readonly principal: NonNullable<ExternalIssuer['principal']>;
}

const asymmetric = Object.keys(algorithms).filter((name) => !name.startsWith('HS')) as Exclude<
  Algorithm,
  `HS${string}`
>[];

const issuerReader = option.group({
  issuer: option.string({ max: 512 }),
  audience: option.string({ max: 512 }),
  jwks: option.string({ max: 2_048, default: 'discover' }),
  types: option.array(option.string({ max: 64 }), { min: 1, max: 8, default: [ACCESS_TYPE] }),
  algorithm: option.oneOf(asymmetric, 'RS256'),
  principal: option.optional(option.fn<NonNullable<ExternalIssuer['principal']>>()),
});
