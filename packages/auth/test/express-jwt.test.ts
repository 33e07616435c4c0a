import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { isSecurityError, OptionError } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { expressjwt as theirs } from 'express-jwt';
import jsonwebtoken from 'jsonwebtoken';
import request, { type Test } from 'supertest';
import { expressjwt as ours, UnauthorizedError, type Params } from '../src/express-jwt.js';

// Made of words, so that it is plainly no secret of anybody.
const secret = 'a secret of this test alone, long enough for SHA-256';
const other = 'another secret of this test, long enough for SHA-256 too';
const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example';
const rsa = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'ada', admin: true };
const now = () => Math.floor(Date.now() / 1000);

function sign(payload: object = claims, key = secret, options: jsonwebtoken.SignOptions = {}): string {
  return jsonwebtoken.sign(payload, key, { ...('exp' in payload ? {} : { expiresIn: 600 }), ...options });
}
const strict = { secret, algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE } satisfies Params;
/** All holes open: what a service moves over with. */
const leaveOpen = [
  'preflight',
  'expired',
  'no-expiry',
  'any-issuer',
  'any-audience',
  'short-secret',
] as const;
type Library = (options: never) => RequestHandler;
const libraries = { theirs, ours } as unknown as Record<'theirs' | 'ours', Library>;

interface Outcome {
  readonly status: number;
  readonly body: {
    readonly name?: string;
    readonly code?: string;
    readonly message?: string;
    readonly auth?: unknown;
  };
}

onBothExpress((express: ExpressLike) => {
  /** One request, by a service that has one of the two libraries. */
  async function ask(
    library: 'theirs' | 'ours',
    options: object,
    send: (api: ReturnType<typeof request>) => Test,
    mount: (middleware: RequestHandler) => RequestHandler = (middleware) => middleware,
  ): Promise<Outcome> {
    const app = express();
    app.use(mount(libraries[library](options as never)));
    app.use((req: Request, res: Response) => {
      const { auth, user } = req as { auth?: unknown; user?: unknown };
      res.json({ auth, ...(user === undefined ? {} : { user }) });
    });
    app.use(
      (
        error: Error & { code?: string; status?: number },
        _req: Request,
        res: Response,
        _next: NextFunction,
      ) => {
        const { name, code, message, status = 500 } = error;
        res.status(status).json({ name, code, message });
      },
    );
    const { status, body } = await send(request(app));
    return { status, body: body as Outcome['body'] };
  }
  const bearer = (token: string) => (api: ReturnType<typeof request>) =>
    api.get('/').set('Authorization', `Bearer ${token}`);
  const header = (value: string) => (api: ReturnType<typeof request>) =>
    api.get('/').set('Authorization', value);

  describe('the same as express-jwt, side by side', () => {
    // Both are shown one token: two of different seconds are not the same.
    const elsewhere = sign();
    const same: readonly [
      title: string,
      options: object,
      send: (api: ReturnType<typeof request>) => Test,
      status: number,
    ][] = [
      ['a good token', {}, bearer(sign()), 200],
      ['the scheme in any case', {}, header(`bEaReR ${sign()}`), 200],
      ['no token', {}, (api) => api.get('/'), 401],
      ['no token where none is needed', { credentialsRequired: false }, (api) => api.get('/'), 200],
      ['a bad token where none is needed', { credentialsRequired: false }, bearer(sign(claims, other)), 401],
      ['another scheme', {}, header('Basic YTpi'), 401],
      ['another scheme where no token is needed', { credentialsRequired: false }, header('Basic YTpi'), 200],
      ['one word', {}, header('Bearer'), 401],
      ['three words', {}, header('Bearer a b'), 401],
      ['a token that is none', {}, bearer('xyz'), 401],
      ['another secret', {}, bearer(sign(claims, other)), 401],
      ['an expired token', {}, bearer(sign({ ...claims, exp: now() - 5 })), 401],
      ['one that is not valid yet', {}, bearer(sign(claims, secret, { notBefore: 3_600 })), 401],
      [
        'an expired one within the tolerance',
        { clockTolerance: 300 },
        bearer(sign({ ...claims, exp: now() - 5 })),
        200,
      ],
      ['another audience', {}, bearer(sign({ ...claims, aud: 'x' })), 401],
      ['one audience of several', { audience: ['x', AUDIENCE] }, bearer(sign()), 200],
      ['a token for several audiences', {}, bearer(sign({ ...claims, aud: ['x', AUDIENCE] })), 200],
      ['another issuer', {}, bearer(sign({ ...claims, iss: 'x' })), 401],
      ['one issuer of several', { issuer: ['x', ISSUER] }, bearer(sign()), 200],
      ['the wrong subject', { subject: 'bob' }, bearer(sign()), 401],
      ['another algorithm of the same kind', {}, bearer(sign(claims, secret, { algorithm: 'HS512' })), 401],
      [
        'a public key as PEM',
        { secret: rsa.publicKey, algorithms: ['RS256'] },
        bearer(sign(claims, rsa.privateKey, { algorithm: 'RS256' })),
        200,
      ],
      [
        'a public key as a Buffer',
        { secret: Buffer.from(rsa.publicKey), algorithms: ['RS256'] },
        bearer(sign(claims, rsa.privateKey, { algorithm: 'RS256' })),
        200,
      ],
      ['a secret as a Buffer', { secret: Buffer.from(secret) }, bearer(sign()), 200],
      ['a secret by callback', { secret: () => secret }, bearer(sign()), 200],
      [
        'a secret by callback that reads issuer and kid',
        {
          secret: (_req: unknown, token: { header: { kid: string }; payload: { iss: string } }) =>
            Promise.resolve(token.payload.iss === ISSUER && token.header.kid === 'k1' ? secret : other),
        },
        bearer(sign(claims, secret, { keyid: 'k1' })),
        200,
      ],
      [
        'a callback that fails',
        { secret: () => Promise.reject(new Error('no such tenant')) },
        bearer(sign()),
        500,
      ],
      ['a callback without answer', { secret: () => undefined }, bearer(sign()), 401],
      ['another property of the request', { requestProperty: 'user' }, bearer(sign()), 200],
      ['a property of a property', { requestProperty: 'user.token' }, bearer(sign()), 200],
      [
        'a token from elsewhere',
        { getToken: (req: Request) => req.headers['x-token'] },
        (api) => api.get('/').set('x-token', elsewhere),
        200,
      ],
      ['none from elsewhere', { getToken: () => null }, bearer(sign()), 401],
      [
        'getToken that throws',
        {
          getToken: () => {
            throw Object.assign(new Error('mine'), { status: 418 });
          },
        },
        bearer(sign()),
        418,
      ],
      ['a revoked token', { isRevoked: () => Promise.resolve(true) }, bearer(sign()), 401],
      [
        'one that is not revoked',
        { isRevoked: (_req: unknown, token: { payload: { sub: string } }) => token.payload.sub === 'bob' },
        bearer(sign()),
        200,
      ],
      [
        'isRevoked that fails',
        { isRevoked: () => Promise.reject(new Error('store down')) },
        bearer(sign()),
        500,
      ],
      [
        'onExpired that throws',
        {
          onExpired: () => {
            throw Object.assign(new Error('mine'), { status: 419 });
          },
        },
        bearer(sign({ ...claims, exp: now() - 5 })),
        419,
      ],
      [
        'onExpired for a good token',
        {
          onExpired: () => {
            throw new Error('never');
          },
        },
        bearer(sign()),
        200,
      ],
      ['an OPTIONS request that asks for nothing', {}, (api) => api.options('/'), 401],
      [
        'an OPTIONS request for other headers',
        {},
        (api) => api.options('/').set('Access-Control-Request-Headers', 'x-a, x-b'),
        401,
      ],
      ['a token that is too old', { maxAge: '1m' }, bearer(sign({ ...claims, iat: now() - 120 })), 401],
    ];

    test.each(same)('%s', async (_title, options, send, status) => {
      const [a, b] = [
        await ask('theirs', { ...strict, ...options }, send),
        await ask('ours', { ...strict, ...options }, send),
      ];
      expect(a.status).toBe(status);
      expect(b.status).toBe(status);
      const { message: _theirs, ...restOfTheirs } = a.body;
      const { message: _ours, ...restOfOurs } = b.body;
      expect(restOfOurs).toEqual(restOfTheirs);
    });

    test.each<[string, (middleware: never) => RequestHandler, string, number]>([
      ['a path', (m: { unless(o: object): RequestHandler }) => m.unless({ path: ['/token'] }), '/token', 200],
      [
        'another path',
        (m: { unless(o: object): RequestHandler }) => m.unless({ path: '/token' }),
        '/other',
        401,
      ],
      [
        'a pattern',
        (m: { unless(o: object): RequestHandler }) => m.unless({ path: /^\/public\// }),
        '/public/x?q=/y',
        200,
      ],
      [
        'a path for other methods',
        (m: { unless(o: object): RequestHandler }) =>
          m.unless({ path: { url: '/token', methods: ['POST'] } }),
        '/token',
        401,
      ],
      ['a method', (m: { unless(o: object): RequestHandler }) => m.unless({ method: 'GET' }), '/', 200],
      ['an ending', (m: { unless(o: object): RequestHandler }) => m.unless({ ext: ['css'] }), '/a.css', 200],
      [
        'a function',
        (m: { unless(o: object): RequestHandler }) =>
          m.unless({ custom: (req: Request) => req.path === '/a' }),
        '/a',
        200,
      ],
      [
        'a function alone',
        (m: { unless(o: object): RequestHandler }) =>
          m.unless((req: Request) => Promise.resolve(req.path === '/b') as never),
        '/a',
        401,
      ],
      [
        'unless of unless',
        (m: { unless(o: object): { unless(o: object): RequestHandler } }) =>
          m.unless({ path: '/a' }).unless({ path: '/b' }),
        '/a',
        200,
      ],
    ] as never)('unless, by %s', async (_title, mount, path, status) => {
      const send = (api: ReturnType<typeof request>) => api.get(path as string);
      for (const library of ['theirs', 'ours'] as const)
        expect((await ask(library, strict, send, mount as never)).status).toBe(status);
    });
  });

  describe('the holes of express-jwt', () => {
    const expired = () => sign({ ...claims, exp: now() - 3_600 });
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
    const holes: readonly [
      hole: (typeof leaveOpen)[number],
      options: object,
      send: (api: ReturnType<typeof request>) => Test,
    ][] = [
      ['preflight', {}, (api) => api.options('/').set('Access-Control-Request-Headers', 'authorization')],
      ['expired', { onExpired: () => undefined }, bearer(expired())],
      ['no-expiry', {}, bearer(jsonwebtoken.sign(claims, secret))],
      ['any-issuer', { issuer: undefined }, bearer(sign({ ...claims, iss: 'https://evil.example' }))],
      ['any-audience', { audience: undefined }, bearer(sign({ ...claims, aud: 'https://other.example' }))],
      ['short-secret', { secret: 'shhhh' }, bearer(sign(claims, 'shhhh'))],
    ];
    test.each(holes)(
      '%s: open there, closed here, and open here by name only',
      async (hole, options, send) => {
        const given = Object.fromEntries(
          Object.entries({ ...strict, ...options }).filter(([, value]) => value !== undefined),
        );
        expect((await ask('theirs', given, send)).status).toBe(200);
        const closed = await ask('ours', given, send).catch((error: unknown) => error);
        if (closed instanceof OptionError)
          expect(closed.message).toMatch(/issuer|audience|at least 32 bytes/);
        else expect(closed).toMatchObject({ status: 401 });
        expect((await ask('ours', { ...given, leaveOpen: [hole] }, send)).status).toBe(200);
        // Another hole does not open this one.
        const others = leaveOpen.filter((one) => one !== hole);
        const still = await ask('ours', { ...given, leaveOpen: others }, send).catch(
          (error: unknown) => error,
        );
        if (!(still instanceof OptionError)) expect(still).toMatchObject({ status: 401 });
      },
    );

    test('an expired token that onExpired lets pass is still of this issuer and for this audience', async () => {
      const leeway = { ...strict, onExpired: () => true };
      expect((await ask('ours', leeway, bearer(expired()))).status).toBe(200);
      const foreign = sign({ ...claims, aud: 'https://other.example', exp: now() - 3_600 });
      expect((await ask('theirs', leeway, bearer(foreign))).status).toBe(200);
      expect((await ask('ours', leeway, bearer(foreign))).status).toBe(401);
    });

    test('jsonwebtoken #1032: an extension that must be understood, and a payload that is not encoded, pass there', async () => {
      const critical = jsonwebtoken.sign(claims, secret, {
        expiresIn: 60,
        header: { alg: 'HS256', crit: ['x'], x: 1 } as never,
      });
      expect((await ask('theirs', strict, bearer(critical))).status).toBe(200);
      expect((await ask('ours', { ...strict, leaveOpen }, bearer(critical))).status).toBe(401);
    });

    test.each<[string, string]>([
      ['an unsigned token', unsigned],
      ['a token of five parts', 'a.b.c.d.e'],
      ['9 kB', sign({ ...claims, x: 'x'.repeat(9_000) })],
      [
        'a key of the sender in the header',
        jsonwebtoken.sign(claims, secret, { header: { alg: 'HS256', jwk: {} } as never }),
      ],
      ['another spelling of the same bytes', `${sign()}=`],
    ])('with all holes open %s is a 401 all the same', async (_title, token) => {
      expect((await ask('ours', { ...strict, leaveOpen }, bearer(token))).status).toBe(401);
    });

    test.each([undefined, null, 0, '', 'route'])(
      'a callback that rejects with %p is a refusal and never a pass',
      async (reason) => {
        // express-jwt hands it on: Express takes it for "go on".
        const options = { ...strict, isRevoked: () => Promise.reject(reason as unknown as Error) };
        const answer = await ask('ours', options, bearer(sign()));
        expect(answer.status).toBeGreaterThanOrEqual(400);
      },
    );

    test('a pattern that may match anywhere does not start', () => {
      expect(() => ours(strict).unless({ path: /\/token/ })).toThrow(/Begin it with "\^"/);
      expect(() => ours(strict).unless({ path: [{ url: /x$/ }] })).toThrow(OptionError);
    });
  });
});

describe('wrong configurations of expressjwt do not start', () => {
  const pem = rsa.publicKey;
  test.each<[string, object, RegExp]>([
    ['CVE-2020-15084: no algorithms', { algorithms: undefined }, /algorithms/],
    ['no algorithm', { algorithms: [] }, /algorithms/],
    ['the algorithm "none"', { algorithms: ['none'] }, /algorithms\[0\]/],
    ['HMAC and public keys', { algorithms: ['HS256', 'RS256'] }, /Name one kind/],
    ['no secret', { secret: undefined }, /secret is required/],
    ['an empty secret', { secret: '' }, /secret is required/],
    ['CVE-2023-48223: a public key as HMAC secret', { secret: pem }, /text of a public key/],
    ['CVE-2023-48223: the same behind a space', { secret: ` ${pem}` }, /text of a public key/],
    ['an HMAC secret as public key', { algorithms: ['RS256'] }, /secret does not fit RS256/],
    ['CVE-2022-23539: a key on another curve', { algorithms: ['ES256'], secret: pem }, /does not fit ES256/],
    [
      'CVE-2022-23529: an object that computes its key',
      { algorithms: ['RS256'], secret: { key: { toString: () => pem } } },
      /does not fit/,
    ],
    ['a secret that can be guessed', { secret: 'shhhh' }, /at least 32 bytes/],
    ['no issuer', { issuer: undefined }, /issuer is required.*leaveOpen: \['any-issuer'\]/],
    ['no audience', { audience: undefined }, /audience is required/],
    ['CVE-2026-35041: a pattern as audience', { audience: /.*/ }, /audience/],
    ['CVE-2026-35040: a pattern as issuer', { issuer: [/.*/] }, /issuer/],
    ['tokens that are good for ever', { ignoreExpiration: true }, /for ever/],
    ['a property that reaches the prototype', { requestProperty: '__proto__.auth' }, /requestProperty/],
    ['an hour of tolerance', { clockTolerance: 3_600 }, /clockTolerance/],
    ['an unknown hole', { leaveOpen: ['expiry'] }, /leaveOpen/],
    ['a near miss', { requestPropery: 'auth' }, /Did you mean "requestProperty"/],
  ])('%s', (_title, options, message) => {
    expect(() => ours({ ...strict, ...options } as Params)).toThrow(message);
    expect(() => ours({ ...strict, ...options } as Params)).toThrow(OptionError);
  });
});

test('the error is known by name, code, status and inner, and as a refusal of this family', () => {
  const error = new UnauthorizedError('revoked_token', { message: 'x' });
  expect(error).toMatchObject({
    name: 'UnauthorizedError',
    code: 'revoked_token',
    status: 401,
    inner: { message: 'x' },
  });
  expect(isSecurityError(error)).toBe(true);
  expect(createPrivateKey(rsa.privateKey).asymmetricKeyType).toBe('rsa');
});
