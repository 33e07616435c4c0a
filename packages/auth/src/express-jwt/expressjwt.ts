import jsonwebtoken from 'jsonwebtoken';
import {
  ALLOW,
  guard,
  isError,
  option,
  OptionError,
  readOptions,
  type SecurityRequest,
  type SecurityResponse,
  type NextFunction,
} from '@portcullis/core';
import { algorithms as rows, type Algorithm } from '../tokens/algorithms.js';
import { parseHeader, parseToken } from '../tokens/parse.js';
import { readyKeys, type SecretInput } from './keys.js';
import { UnauthorizedError } from './unauthorized-error.js';
import { compileUnless, type Handler, type UnlessOptions } from './unless.js';

export interface JwtPayload {
  readonly [claim: string]: unknown;
  iss?: string;
  sub?: string;
  aud?: string | string[];
  exp?: number;
  nbf?: number;
  iat?: number;
  jti?: string;
}

/** A token as jsonwebtoken takes it apart; nothing of it has been verified where a key is still looked for. */
export interface Jwt {
  readonly header: {
    readonly alg: string;
    readonly kid?: string;
    readonly typ?: string;
    readonly [name: string]: unknown;
  };
  readonly payload: JwtPayload | string;
  readonly signature: string;
}

/** A hole of express-jwt that is closed here, by name. */
export type Hole =
  /** `OPTIONS` with `Access-Control-Request-Headers: authorization` passes without a token. Mount `cors()` before instead. */
  | 'preflight'
  /** A token that has expired passes if `onExpired` does not throw. Return `true` from it instead. */
  | 'expired'
  /** Tokens without `exp` are good for ever. */
  | 'no-expiry'
  /** Tokens of any issuer pass. */
  | 'any-issuer'
  /** Tokens for any other service pass. */
  | 'any-audience'
  /** HMAC secrets that are shorter than the hash, which can be guessed offline. */
  | 'short-secret';

type Callback<T> = (req: never, token: Jwt | undefined) => T | Promise<T>;

export interface Params {
  readonly secret: SecretInput | Callback<SecretInput | undefined>;
  /** One kind only: HMAC, or public keys. */
  readonly algorithms: readonly Exclude<Algorithm, 'EdDSA'>[];
  readonly getToken?: (req: never) => string | null | undefined | Promise<string | null | undefined>;
  readonly isRevoked?: Callback<boolean>;
  /** @default true */
  readonly credentialsRequired?: boolean;
  /** @default 'auth' */
  readonly requestProperty?: string;
  /** Throws to refuse; returns `true` to let an expired token pass (a leeway). Anything else refuses. */
  readonly onExpired?: (req: never, error: UnauthorizedError) => unknown;
  /** Exact texts. @default required */
  readonly audience?: string | readonly string[];
  readonly issuer?: string | readonly string[];
  readonly subject?: string;
  readonly jwtid?: string;
  readonly nonce?: string;
  /** Seconds. */
  readonly clockTolerance?: number;
  /** Seconds since 1970. @default now */
  readonly clockTimestamp?: number;
  readonly maxAge?: string | number;
  readonly ignoreNotBefore?: boolean;
  /** Needs `leaveOpen: ['expired']`. */
  readonly ignoreExpiration?: boolean;
  /** Holes of express-jwt that stay open, by name, while a service moves over. @default none */
  readonly leaveOpen?: readonly Hole[];
}

const HOLES = ['preflight', 'expired', 'no-expiry', 'any-issuer', 'any-audience', 'short-secret'] as const;
const owner = 'expressjwt';

/**
 * express-jwt's middleware, by its API: what passes and what it writes is the same, but for its known holes, which are closed unless
 * `leaveOpen` names them, and for what no token has by accident: `crit`, keys in the header, lenient base64, more than 8 kB.
 * @throws OptionError
 */
export function expressjwt(options: Params): Handler {
  const given = readParams(options);
  const { secret, getToken, isRevoked, onExpired, credentialsRequired, requestProperty, open } = given;
  const keys = readyKeys({ shortSecrets: open.has('short-secret') });
  const allowed = new Set<string>(given.algorithms);
  const write = writer(requestProperty);
  // A fixed secret is judged now, against every algorithm that it is for.
  if (typeof secret !== 'function') {
    for (const alg of given.algorithms) {
      const key = keys.of(secret, alg);
      if ('problem' in key)
        throw new OptionError(
          'E_OPTION_VALUE',
          owner,
          'secret',
          `secret does not fit ${alg}: ${key.problem}`,
        );
    }
  }

  async function verify(req: SecurityRequest, token: unknown): Promise<void> {
    const strict = typeof token === 'string' ? judgeForm(token) : 'jwt must be a string';
    const decoded = typeof strict === 'object' ? strict : undefined;
    if (!decoded) throw invalid({ name: 'JsonWebTokenError', message: strict as string });
    const key = await (typeof secret === 'function'
      ? (secret as (one: SecurityRequest, two: Jwt) => unknown)(req, decoded)
      : secret);
    if (!allowed.has(decoded.header.alg))
      throw invalid({ name: 'JsonWebTokenError', message: 'invalid algorithm' });
    const ready = keys.of(key, decoded.header.alg as Algorithm);
    if ('problem' in ready) throw invalid({ name: 'JsonWebTokenError', message: ready.problem });
    const judge = (checks: jsonwebtoken.VerifyOptions) =>
      jsonwebtoken.verify(token as string, ready.verifyWith, {
        ...checks,
        algorithms: [ready.algorithm.name as jsonwebtoken.Algorithm],
        complete: false,
      });
    try {
      const payload = judge(given.checks);
      if (!open.has('no-expiry') && (typeof payload === 'string' || payload.exp === undefined))
        throw invalid({ name: 'JsonWebTokenError', message: 'jwt has no exp' });
    } catch (error) {
      if (!isError(error) || error instanceof UnauthorizedError) throw error;
      const wrapped = invalid(error);
      if (error.name !== 'TokenExpiredError' || !onExpired) throw wrapped;
      const verdict = await (onExpired as (one: SecurityRequest, two: UnauthorizedError) => unknown)(
        req,
        wrapped,
      );
      if (verdict !== true && !open.has('expired')) throw wrapped;
      // jsonwebtoken looks at the time first: whose token it is has not been judged yet.
      const { maxAge: _over, ...rest } = given.checks;
      try {
        judge({ ...rest, ignoreExpiration: true });
      } catch (other) {
        throw isError(other) ? invalid(other) : other;
      }
    }
    if (isRevoked && (await (isRevoked as (one: SecurityRequest, two: Jwt) => unknown)(req, decoded)))
      throw new UnauthorizedError('revoked_token', { message: 'The token has been revoked.' });
    write(req, decoded.payload);
  }

  const middleware = guard(owner, { stage: 'identify', detail: given.algorithms.join(', ') }, async (req) => {
    if (open.has('preflight') && asksForAuthorization(req)) return ALLOW;
    const token = getToken
      ? await (getToken as (one: SecurityRequest) => unknown)(req)
      : fromHeader(req, credentialsRequired);
    if (token === undefined || token === null || token === '') {
      if (!credentialsRequired) return ALLOW;
      throw new UnauthorizedError('credentials_required', { message: 'No authorization token was found' });
    }
    await verify(req, token);
    return ALLOW;
  });
  return withUnless(middleware);
}

function withUnless(
  middleware: (req: SecurityRequest, res: SecurityResponse, next: NextFunction) => void,
): Handler {
  return Object.assign(middleware, {
    unless(options: UnlessOptions): Handler {
      const skips = compileUnless(options);
      return withUnless(
        guard(`${owner}.unless`, { stage: 'identify' }, async (req, res) => {
          if (await skips(req)) return ALLOW;
          return new Promise((resolve, reject) => {
            // What the inner guard says is this one's verdict; it answers once.
            middleware(req, res, (error?: unknown) => (error === undefined ? resolve(ALLOW) : reject(error)));
          });
        }),
      );
    },
  });
}

function invalid(inner: { readonly name: string; readonly message: string }): UnauthorizedError {
  return new UnauthorizedError('invalid_token', inner);
}

/** Taken apart strictly, or why it is no token. */
function judgeForm(token: string): Jwt | string {
  const parts = parseToken(token);
  if (typeof parts === 'string')
    return parts === 'segments' || parts === 'not-a-token' ? 'jwt malformed' : `jwt malformed (${parts})`;
  const header = parseHeader(parts.head);
  if (typeof header === 'string') return `invalid token (${header})`;
  const text = parts.payload.toString('utf8');
  let payload: unknown = text;
  try {
    payload = JSON.parse(text);
  } catch {
    // jsonwebtoken signs plain texts too.
  }
  return {
    header: header.all as Jwt['header'],
    payload: payload as Jwt['payload'],
    signature: token.slice(token.lastIndexOf('.') + 1),
  };
}

function fromHeader(req: SecurityRequest, required: boolean): string | undefined {
  const header: unknown = req.headers.authorization;
  if (header === undefined || header === '') return undefined;
  const [scheme, token, ...rest] = typeof header === 'string' ? header.split(' ') : [];
  const format = { message: 'Format is Authorization: Bearer [token]' };
  if (scheme === undefined || token === undefined || rest.length > 0)
    throw new UnauthorizedError('credentials_bad_format', format);
  if (/^Bearer$/i.test(scheme)) return token;
  if (!required) return undefined;
  throw new UnauthorizedError('credentials_bad_scheme', format);
}

function asksForAuthorization(req: SecurityRequest): boolean {
  const asked: unknown = req.headers['access-control-request-headers'];
  return (
    req.method === 'OPTIONS' &&
    typeof asked === 'string' &&
    asked.split(',').some((name) => name.trim().toLowerCase() === 'authorization')
  );
}

/** Writes to `req.auth`, or where a path such as `a.b` says. */
function writer(path: string): (req: object, value: unknown) => void {
  const names = path.match(/[^.[\]]+/g) ?? [];
  if (
    names.length === 0 ||
    names.some((name) => name === '__proto__' || name === 'constructor' || name === 'prototype')
  ) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      'requestProperty',
      'requestProperty must name a property of the request, such as "auth" or "user.token"',
    );
  }
  const last = names.at(-1)!;
  return (req, value) => {
    let at = req as Record<string, unknown>;
    for (const name of names.slice(0, -1)) {
      const inner: unknown = Object.hasOwn(at, name) ? at[name] : undefined;
      at = (typeof inner === 'object' && inner !== null ? inner : (at[name] = {})) as Record<string, unknown>;
    }
    at[last] = value;
  };
}

const texts = (value: unknown, name: string, path: string): string | readonly string[] | undefined => {
  if (value === undefined) return undefined;
  const all = option.array(option.string({ max: 512 }), { min: 1, max: 64 })([value].flat(), name, path);
  return typeof value === 'string' ? value : [...all];
};

function readParams(options: Params) {
  const given = readOptions(owner, options, {
    secret: (value, name, path): Params['secret'] => {
      if (value !== undefined && value !== null && value !== '') return value as Params['secret'];
      throw new OptionError(
        'E_OPTION_REQUIRED',
        name,
        path,
        'secret is required: a secret, a public key, or a function that finds one',
      );
    },
    algorithms: option.array(
      option.oneOf(Object.keys(rows).filter((one) => one !== 'EdDSA') as Exclude<Algorithm, 'EdDSA'>[]),
      {
        min: 1,
        max: 12,
      },
    ),
    getToken: option.optional(option.fn<NonNullable<Params['getToken']>>()),
    isRevoked: option.optional(option.fn<NonNullable<Params['isRevoked']>>()),
    credentialsRequired: option.boolean(true),
    requestProperty: option.string({ max: 128, default: 'auth' }),
    onExpired: option.optional(option.fn<NonNullable<Params['onExpired']>>()),
    audience: texts,
    issuer: texts,
    subject: option.optional(option.string({ max: 512 })),
    jwtid: option.optional(option.string({ max: 512 })),
    nonce: option.optional(option.string({ max: 512 })),
    clockTolerance: option.optional(option.integer({ min: 0, max: 300 })),
    clockTimestamp: option.optional(option.integer({ min: 1, max: 99_999_999_999 })),
    maxAge: (value) => value as string | number | undefined,
    ignoreNotBefore: option.boolean(false),
    ignoreExpiration: option.boolean(false),
    leaveOpen: option.array(option.oneOf([...HOLES]), { default: [] }),
  });
  const open: ReadonlySet<Hole> = new Set(given.leaveOpen);
  const need = (hole: Hole, path: string, problem: string): void => {
    if (open.has(hole)) return;
    throw new OptionError(
      'E_OPTION_REQUIRED',
      owner,
      path,
      `${problem}; to leave it as express-jwt has it for a while: leaveOpen: ['${hole}']`,
    );
  };
  if (given.issuer === undefined)
    need('any-issuer', 'issuer', 'issuer is required, or tokens of anybody who has the key pass');
  if (given.audience === undefined)
    need(
      'any-audience',
      'audience',
      'audience is required, or tokens that are meant for other services pass',
    );
  if (given.ignoreExpiration)
    need('expired', 'ignoreExpiration', 'ignoreExpiration makes every token good for ever');
  const hmac = given.algorithms.filter((name) => name.startsWith('HS')).length;
  if (hmac > 0 && hmac < given.algorithms.length) {
    throw new OptionError(
      'E_OPTION_CONFLICT',
      owner,
      'algorithms',
      'algorithms mixes HMAC with public keys: that is how a public key becomes a secret. Name one kind',
    );
  }
  const all = {
    audience: given.audience,
    issuer: given.issuer,
    subject: given.subject,
    jwtid: given.jwtid,
    nonce: given.nonce,
    clockTolerance: given.clockTolerance,
    clockTimestamp: given.clockTimestamp,
    maxAge: given.maxAge,
    ignoreNotBefore: given.ignoreNotBefore,
    ignoreExpiration: given.ignoreExpiration,
  };
  const checks = Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  ) as jsonwebtoken.VerifyOptions;
  return { ...given, open, checks };
}
