import {
  option,
  OptionError,
  parseOrigin,
  readOptions,
  systemClock,
  isLoopbackHost,
  type Clock,
  type Duration,
  type Secret,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { storeOption } from '../checked-store.js';
import { errors } from '../error-codes.js';
import type { Algorithm } from '../tokens/algorithms.js';
import { createNonces } from './dpop-nonce.js';
import { plainUrl, readProof, type ProofFault } from './dpop-proof.js';
import type { ReplayStore } from './replay-store.js';

export interface DpopOptions {
  /** The origin under which clients reach us (`https://api.example`): what `htu` must begin with, whatever proxies make of `Host`. */
  readonly origin: string;
  /** Refuse tokens that are not bound to a key, and sign-ins without a proof. @default false */
  readonly required?: boolean;
  /** Remembers used proofs; shared by all processes that take tokens. */
  readonly replays: ReplayStore;
  /** How old a proof may be, 1 s to 10 min. @default '60s' */
  readonly maxAge?: Duration;
  /** How far the client's clock may be ahead, at most 60 s. @default '5s' */
  readonly tolerance?: Duration;
  /** @default ES256, ES384, ES512, EdDSA, PS256, PS384, PS512 */
  readonly algorithms?: readonly Exclude<Algorithm, `HS${string}`>[];
  /**
   * Demand a nonce of ours in every proof, so that none can be made in advance (RFC 9449 section 9). `secret` (at least 32 bytes) is
   * the same in all processes. @default none: `maxAge` and `replays` bound what a proof is worth
   */
  readonly nonce?: {
    readonly secret: string | Secret<string>;
    /** 10 s to 1 h. @default '5m' */ readonly every?: Duration;
  };
}

export interface Dpop {
  readonly required: boolean;
  /** True if proofs need a nonce of ours. */
  readonly nonces: boolean;
  /** Of `WWW-Authenticate`, without error: `DPoP algs="ES256 ..."`. */
  readonly challenge: string;
  /**
   * The thumbprint of the key that the sender of this request has proven to hold.
   * @throws E_DPOP_PROOF_INVALID | E_DPOP_NONCE (401), what the replay store throws (503)
   */
  prove(
    req: SecurityRequest,
    res: SecurityResponse,
    bound?: { readonly token: string; readonly jkt: string },
  ): Promise<string>;
}

/** Without RS*: PKCS #1 v1.5 has no place in a new protocol (RFC 8725 section 3.2 in spirit). */
const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256', 'PS384', 'PS512'] as const;

/**
 * Proof of possession at the application level (RFC 9449), the resource server's side: a stolen token is worth nothing without the key.
 * @throws OptionError
 */
export function createDpop(options: DpopOptions, deps: { readonly clock?: Clock } = {}): Dpop {
  const owner = 'dpop';
  const given = readOptions(owner, options, {
    origin: originReader,
    required: option.boolean(false),
    replays: storeOption<ReplayStore>(['firstUse']),
    maxAge: option.duration({ minMs: 1_000, maxMs: 600_000, default: '60s' }),
    tolerance: option.duration({ maxMs: 60_000, default: '5s' }),
    algorithms: option.array(option.oneOf([...ALGORITHMS, 'RS256', 'RS384', 'RS512'] as const), {
      min: 1,
      max: 10,
      default: [...ALGORITHMS],
    }),
    nonce: option.optional(
      option.group({
        secret: option.secret({ minBytes: 32 }),
        every: option.duration({ minMs: 10_000, maxMs: 3_600_000, default: '5m' }),
      }),
    ),
  });
  const { origin, required, replays, maxAge, tolerance, nonce } = given;
  const { clock = systemClock } = deps;
  const taken: ReadonlySet<Algorithm> = new Set<Algorithm>(given.algorithms);
  const nonces = nonce && createNonces(Buffer.from(nonce.secret.reveal()), nonce.every);
  const challenge = `DPoP algs="${given.algorithms.join(' ')}"`;

  const refusal = (fault: ProofFault): Error =>
    errors.E_DPOP_PROOF_INVALID({
      details: { fault },
      headers: { 'WWW-Authenticate': `${challenge}, error="invalid_dpop_proof"` },
    });

  return {
    required,
    nonces: nonces !== undefined,
    challenge,
    async prove(req, res, bound) {
      const now = clock.now();
      const header: unknown = req.headers['dpop'];
      const proof = readProof(header, {
        method: req.method ?? '',
        url: plainUrl(origin + pathOf(req)) ?? '',
        algorithms: taken,
        now,
        maxAge,
        tolerance,
        accessToken: bound?.token,
        isNonce: nonces && ((one) => nonces.isOurs(one, now)),
      });
      if (nonces) res.setHeader('DPoP-Nonce', nonces.current(now));
      if (proof === 'nonce') {
        throw errors.E_DPOP_NONCE({
          headers: {
            'DPoP-Nonce': nonces!.current(now),
            'WWW-Authenticate': `${challenge}, error="use_dpop_nonce"`,
          },
        });
      }
      if (typeof proof === 'string') throw refusal(proof);
      if (bound && bound.jkt !== proof.jkt) throw refusal('other-key');
      if (!proof.isSigned()) throw refusal('signature');
      // Last, so that only who holds a key can leave an entry. One second more: the store's clock is another.
      const ttlMs = Math.max(1_000, proof.until - now) + 1_000;
      if (!(await replays.firstUse(`dpop ${proof.jkt} ${proof.jti}`, ttlMs))) throw refusal('replayed');
      return proof.jkt;
    },
  };
}

function pathOf(req: SecurityRequest): string {
  return (req.originalUrl ?? req.url ?? '').split(/[?#]/, 1)[0]!;
}

function originReader(value: unknown, owner: string, path: string): string {
  const origin = typeof value === 'string' ? parseOrigin(value) : undefined;
  if (origin && (origin.scheme === 'https' || (origin.scheme === 'http' && isLoopbackHost(origin.host))))
    return origin.text;
  throw new OptionError(
    value === undefined ? 'E_OPTION_REQUIRED' : 'E_OPTION_VALUE',
    owner,
    path,
    `${path} must be the origin that clients use, such as "https://api.example", without path; http only for this machine`,
  );
}
