import {
  createHmac,
  createPublicKey,
  createSecretKey,
  randomBytes,
  timingSafeEqual,
  verify,
  type KeyObject,
} from 'node:crypto';
import {
  createAuth,
  createSessions,
  createTokens,
  generateKeys,
  keyValueSessions,
  type JwkInput,
  type KeysInput,
  type UserPort,
} from '@portcullis/auth';
import { createFreshness, createMemoryFeed, createMemoryStore } from '@portcullis/core';
import { expressjwt } from 'express-jwt';
import { createVerifier as createFastVerifier } from 'fast-jwt';
import jsonwebtoken from 'jsonwebtoken';
import { costCase, exchange, mustPass, type CostCase, type CostGroup } from './harness.js';

const issuer = 'https://library.example';
const audience = 'https://api.library.example';
/** Different tokens in turns, as different users bring them. */
const USERS = 512;

type Measured = 'HS256' | 'RS256' | 'ES256' | 'EdDSA';

interface Material {
  readonly keys: { readonly keys: readonly JwkInput[] };
  readonly verifyWith: KeyObject;
  /** What jsonwebtoken and fast-jwt are given in their own READMEs: a text. */
  readonly text: string;
}

function materialOf(alg: Measured): Material {
  if (alg === 'HS256') {
    const text = randomBytes(32).toString('base64url');
    const k = Buffer.from(text).toString('base64url');
    return {
      keys: { keys: [{ kty: 'oct', alg, k, kid: 'h' }] },
      verifyWith: createSecretKey(Buffer.from(text)),
      text,
    };
  }
  const keys = generateKeys(alg);
  const verifyWith = createPublicKey({ key: keys.keys[0] as never, format: 'jwk' });
  return { keys, verifyWith, text: verifyWith.export({ type: 'spki', format: 'pem' }) as string };
}

/** A service with sessions in memory, and a token of each user. */
async function service(keys: KeysInput) {
  const feed = createMemoryFeed();
  const store = createMemoryStore();
  const sessionStore = keyValueSessions({ store, feed });
  const freshness = createFreshness({ feed });
  const tokens = createTokens({ issuer, audience, keys });
  const sessions = createSessions({ store: sessionStore, tokens, freshness });
  const issued: string[] = [];
  for (let i = 0; i < USERS; i++) {
    const pair = await sessions.create({ userId: `user-${i}`, epoch: await sessions.epoch(`user-${i}`) });
    issued.push(pair.accessToken);
  }
  return { tokens, sessions, issued, store, sessionStore, freshness };
}

/** One after the other, each time as a new string, as a request brings it: its hash has not been computed before. */
function inTurns(tokens: readonly string[]): () => string {
  const bytes = tokens.map((token) => Buffer.from(token));
  let i = 0;
  return () => bytes[i++ % bytes.length]!.toString('latin1');
}

interface Subject {
  readonly alg: Measured;
  readonly keys: Material['keys'];
  readonly verifyWith: KeyObject;
  readonly text: string;
  readonly issued: readonly string[];
  /** With the memory of verified tokens, and the look-up of the session. */
  readonly remembered: CostCase;
  readonly fastRemembered: CostCase;
}

async function subject(alg: Measured): Promise<Subject> {
  const material = materialOf(alg);
  const { tokens, sessions, issued } = await service(material.keys);
  const fast = createFastVerifier({
    key: material.text,
    allowedIss: issuer,
    allowedAud: audience,
    cache: 1000,
  });
  return {
    ...material,
    alg,
    issued,
    remembered: costCase<string>({
      name: `ours, ${alg}`,
      prepare: inTurns(issued),
      call: (token) => sessions.check(tokens.verify(token)),
    }),
    fastRemembered: costCase<string>({
      name: `fast-jwt, ${alg}`,
      prepare: inTurns(issued),
      call: (token) => fast(token) as unknown,
    }),
  };
}

function verification({ alg, keys, verifyWith, text, issued }: Subject): CostGroup {
  const ours = createTokens({ issuer, audience, keys, cacheSize: 0 });
  const fast = createFastVerifier({ key: text, allowedIss: issuer, allowedAud: audience });
  const prepare = inTurns(issued);
  const atMost = { HS256: 3, RS256: 1.7, ES256: 1.25, EdDSA: 1.25 }[alg];
  return {
    title: `Verification of an access token, ${alg}`,
    note: `${USERS} tokens in turns, nothing remembered; issuer, audience and expiry judged by all.`,
    batch: 500,
    batches: 2,
    peers: ['fast-jwt', 'jsonwebtoken'],
    cases: [
      rawCase(alg, verifyWith, issued),
      costCase<string>({ name: 'ours', prepare, call: (token) => ours.verify(token) }),
      costCase<string>({ name: 'fast-jwt', prepare, call: (token) => fast(token) as unknown }),
      ...(alg === 'EdDSA' ? [] : [jsonwebtokenCase('jsonwebtoken, KeyObject', alg, verifyWith, issued)]),
    ],
    claims: [{ ours: 'ours', peer: 'node:crypto alone', atMost }],
  };
}

function jsonwebtokenCase(
  name: string,
  alg: Exclude<Measured, 'EdDSA'>,
  key: KeyObject | string,
  issued: readonly string[],
): CostCase {
  const claims = { algorithms: [alg], issuer, audience };
  return costCase<string>({
    name,
    prepare: inTurns(issued),
    call: (token) => jsonwebtoken.verify(token, key, claims),
  });
}

/** What a request costs whose token has been seen before. */
function remembered(subjects: readonly Subject[]): CostGroup {
  return {
    title: 'An access token that was verified before',
    note: `${USERS} tokens of each kind in turns. Ours judges expiry, the end of the key and the session on every call; fast-jwt with its cache looks up no session.`,
    batch: 5_000,
    batches: 2,
    peers: ['fast-jwt'],
    cases: subjects.flatMap((one) => [one.fastRemembered, one.remembered]),
    claims: subjects.map((one) => ({
      ours: one.remembered.name,
      peer: one.fastRemembered.name,
      atMost: one.alg === 'RS256' ? 1 / 2 : 1 / 3,
    })),
  };
}

function asInTheReadme({ text, issued, remembered: ours }: Subject): CostGroup {
  return {
    title: 'An access token that was verified before, beside jsonwebtoken with its secret as a text',
    note: 'HS256. The text is what its README shows, and those of express-jwt and passport-jwt.',
    batch: 1_000,
    batches: 1,
    peers: ['jsonwebtoken'],
    cases: [jsonwebtokenCase('jsonwebtoken, text', 'HS256', text, issued), ours],
    claims: [{ ours: ours.name, peer: 'jsonwebtoken, text', atMost: 1 / 100 }],
  };
}

/** What nobody can do without: the check of a signature whose parts lie ready. */
function rawCase(alg: Measured, key: KeyObject, issued: readonly string[]): CostCase {
  const parts = issued.map((token) => {
    const end = token.lastIndexOf('.');
    return {
      data: Buffer.from(token.slice(0, end)),
      signature: Buffer.from(token.slice(end + 1), 'base64url'),
    };
  });
  const check = {
    HS256: (data: Buffer, signature: Buffer) =>
      timingSafeEqual(createHmac('sha256', key).update(data).digest(), signature),
    RS256: (data: Buffer, signature: Buffer) => verify('sha256', data, key, signature),
    ES256: (data: Buffer, signature: Buffer) =>
      verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature),
    EdDSA: (data: Buffer, signature: Buffer) => verify(null, data, key, signature),
  }[alg];
  let i = 0;
  return costCase<(typeof parts)[number]>({
    name: 'node:crypto alone',
    prepare: () => parts[i++ % parts.length]!,
    call: ({ data, signature }) => {
      if (!check(data, signature)) throw new Error('The control does not verify.');
    },
  });
}

async function middleware(): Promise<CostGroup> {
  const { keys, text } = materialOf('HS256');
  const { issued, store, sessionStore, freshness } = await service(keys);
  const users: UserPort = {
    findByLogin: async () => undefined,
    findById: async () => undefined,
    saveCredential: async () => false,
  };
  const auth = createAuth({
    issuer,
    audience,
    keys,
    users,
    store,
    sessions: { store: sessionStore, freshness },
  });
  const ours = auth.authenticate();
  const theirs = expressjwt({ secret: text, algorithms: ['HS256'], issuer, audience });
  const token = inTurns(issued);
  type Pair = ReturnType<typeof exchange>;
  const pairs = Array.from({ length: 100 }, () => exchange());
  let i = 0;
  const prepare = (): Pair => {
    const pair = pairs[i++ % pairs.length]!;
    pair.req.headers.authorization = `Bearer ${token()}`;
    delete (pair.req as { security?: unknown }).security;
    return pair;
  };
  const passed = (use: (next: (error?: unknown) => void) => unknown) =>
    new Promise<void>((resolve, reject) => {
      use((error) => {
        if (error === undefined) resolve();
        else reject(error as Error);
      });
    });
  return {
    title: 'Who asks: the middleware for a bearer token',
    note: 'What each adds to a request of Express. express-jwt as in its README, with the secret as a text; it looks up no session.',
    batch: 500,
    batches: 2,
    peers: ['express-jwt', 'jsonwebtoken'],
    cases: [
      costCase<Pair>({
        name: 'express-jwt',
        prepare,
        call: ({ req, res }) => passed((next) => theirs(req as never, res as never, next)),
      }),
      costCase<Pair>({
        name: 'authenticate()',
        prepare,
        call: ({ req, res }) => passed((next) => ours(req, res, next)),
      }),
      costCase<Pair>({ name: 'nothing', prepare, call: () => passed((next) => mustPass(next())) }),
    ],
    claims: [{ ours: 'authenticate()', peer: 'express-jwt', atMost: 1 / 20 }],
  };
}

const subjects = [
  await subject('HS256'),
  await subject('RS256'),
  await subject('ES256'),
  await subject('EdDSA'),
];

export const groups: readonly CostGroup[] = [
  ...subjects.map(verification),
  remembered(subjects),
  asInTheReadme(subjects[0]!),
  await middleware(),
];
