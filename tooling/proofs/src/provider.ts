// pnpm prove:provider [--short] [--write]: external() beside a real OpenID provider, npm's oidc-provider, on this machine: discovery, access tokens of every kind that
// it signs, keys that are rotated, bound tokens, an outage; and what must not pass.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { createAuth, external, generateKeys, keyValueReplays, type Algorithm } from '@portcullis/auth';
import { memoryUsers, testHasher } from '@portcullis/auth/testing';
import { context, createMemoryStore, isSecurityError } from '@portcullis/core';
import express, { type NextFunction, type Request, type Response } from 'express';
import { markdownTable } from './markdown-table.js';
import { serveProvider, type Running } from './provider/serve.js';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, write: { type: 'boolean' } } });
const AUDIENCE = 'https://api.library.example';
const algorithms: readonly Exclude<Algorithm, `HS${string}`>[] = flags.short
  ? ['ES256']
  : ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];
const rows: string[][] = [];
let broken = 0;
function claim(what: string, expected: unknown, found: unknown): void {
  const holds = JSON.stringify(expected) === JSON.stringify(found);
  if (!holds) broken++;
  rows.push([what, JSON.stringify(found)!, holds ? 'as expected' : `**not ${JSON.stringify(expected)}**`]);
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}: ${JSON.stringify(found)}`);
}

for (const alg of algorithms) {
  const provider = await serveProvider(alg);
  const service = await serveService(provider);
  const token = await provider.token(AUDIENCE);
  const good = await service.get(token);
  claim(
    `${alg}: an access token for this service`,
    [200, `${provider.issuer}|reporting`, 'service', ['book:read']],
    [good.status, good.body['id'], good.body['kind'], good.body['scopes']],
  );
  const asked = provider.asked.filter((path) => path !== '/token').length;
  for (let i = 0; i < 20; i++) await service.get(token);
  claim(
    `${alg}: documents asked for, by 21 requests`,
    2,
    provider.asked.filter((path) => path !== '/token').length,
  );
  claim(`${alg}: of these at the first request`, 2, asked);
  claim(
    `${alg}: a token for another service`,
    401,
    (await service.get(await provider.token('https://other.example'))).status,
  );
  const [head, body, signature] = token.split('.') as [string, string, string];
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  const altered = Buffer.from(JSON.stringify({ ...claims, scope: 'book:create' })).toString('base64url');
  claim(
    `${alg}: one with more scope than was granted`,
    401,
    (await service.get(`${head}.${altered}.${signature}`)).status,
  );
  await service.stop();
  await provider.stop();
}

const provider = await serveProvider('ES256');
const service = await serveService(provider);
const own = await service.own();
claim('our own token, at the same door', [200, 'user'], [own.status, own.body['kind']]);
const stranger = await serveProvider('ES256');
claim(
  'a token of a provider that is not ours',
  401,
  (await service.get(await stranger.token(AUDIENCE))).status,
);
claim(
  'of these, documents that were asked for at that provider',
  0,
  stranger.asked.filter((path) => path !== '/token').length,
);
await stranger.stop();

// A stolen token that is bound to a key.
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const prove =
  (key: typeof privateKey, jwk: object) => (method: string, url: string, token?: string, nonce?: string) => {
    const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const ath = token === undefined ? undefined : createHash('sha256').update(token).digest('base64url');
    const input = `${b64({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${b64({ jti: randomUUID(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000), ath, nonce })}`;
    return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
const mine = prove(privateKey, publicKey.export({ format: 'jwk' }));
const bound = await provider.token(AUDIENCE, (url, nonce) => mine('POST', url, undefined, nonce));
const proof = mine('GET', `${service.origin}/me`, bound);
claim(
  'a token that the provider bound to a key, with a proof',
  200,
  (await service.get(bound, 'DPoP', proof)).status,
);
claim('the same proof once more', 401, (await service.get(bound, 'DPoP', proof)).status);
claim('the token without a proof', 401, (await service.get(bound, 'DPoP')).status);
claim('the token as a bearer token', 401, (await service.get(bound)).status);
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const thief = prove(other.privateKey, other.publicKey.export({ format: 'jwk' }));
claim(
  "the token with a thief's proof",
  401,
  (await service.get(bound, 'DPoP', thief('GET', `${service.origin}/me`, bound))).status,
);

// Rotation: the provider starts again with a new key first, and then without the old one.
const before = await provider.token(AUDIENCE);
const { port, keys } = provider;
await provider.stop();
claim('the provider is away: a token of a known key', 200, (await service.get(before)).status);
const next = generateKeys('ES256').keys;
const rotated = await serveProvider('ES256', { port, keys: [...next, ...keys] });
service.later(31_000);
claim('a new key: its tokens', 200, (await service.get(await rotated.token(AUDIENCE))).status);
claim('a new key: tokens of the old one', 200, (await service.get(before)).status);
await rotated.stop();
const without = await serveProvider('ES256', { port, keys: next });
service.later(600_001);
await service.get(await without.token(AUDIENCE));
await service.settled();
claim(
  'the old key withdrawn: its tokens, after the set was read again',
  401,
  (await service.get(before)).status,
);
await without.stop();
service.later(3_600_001);
claim(
  'the provider away for longer than maxStale',
  503,
  (await service.get(await Promise.resolve(before))).status,
);
await service.stop();

if (flags.write) {
  const folder = new URL('../../../docs/proofs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    new URL('provider.md', folder),
    `# A real OpenID provider

\`pnpm prove:provider --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}: npm's oidc-provider 9.13.3 on this machine, found by discovery, and an Express 5 service
with \`createAuth({ external: external([...]) })\`. Access tokens are JWTs after RFC 9068, by client credentials for a resource (RFC 8707).

${markdownTable(
  ['claim', 'found', ''],
  rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|'))),
)}
`,
  );
}
console.log(`provider: ${rows.length} claims, ${broken} do not hold`);
process.exit(broken === 0 ? 0 : 1);

/** Our side: one door for our own tokens and for those of the provider. */
async function serveService({ issuer }: Running) {
  let ahead = 0;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() + ahead };
  let pending: Promise<unknown> = Promise.resolve();
  const server = createServer((req, res) => void app(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = createMemoryStore();
  const dpop = { origin, replays: keyValueReplays({ store }) };
  let loaded: () => void = () => undefined;
  const events = {
    emit: ({ type }: { type: string }) => {
      if (type.startsWith('auth.issuer-')) loaded();
    },
  };
  const auth = createAuth({
    issuer: 'https://library.example',
    audience: AUDIENCE,
    keys: generateKeys(),
    users: memoryUsers(),
    store,
    passwords: { hash: testHasher(), accept: [] },
    transport: { dpop },
    external: external([{ issuer, audience: AUDIENCE }], {
      dangerouslyAllowLocal: true,
      clock,
      events: events as never,
    }),
  });
  const app = express();
  app.use(context({ trustProxy: false }), auth.authenticate());
  app.get('/me', auth.required(), (req: Request, res: Response) => void res.json(req.security.principal));
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const { status, code } = isSecurityError(error) ? error : { status: 500, code: String(error) };
    res.status(status).json({ code });
  });
  const get = async (token: string, scheme = 'Bearer', proof?: string) => {
    const answer = await fetch(`${origin}/me`, {
      headers: { authorization: `${scheme} ${token}`, ...(proof === undefined ? {} : { dpop: proof }) },
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  return {
    origin,
    get,
    async own() {
      const { accessToken } = await auth.sessions.create({
        userId: 'ada',
        epoch: await auth.sessions.epoch('ada'),
      });
      return get(accessToken);
    },
    later(ms: number) {
      ahead += ms;
      pending = new Promise<void>((resolve) => (loaded = resolve));
    },
    /** Resolves when the keys have been read again, or could not be. */
    settled: () => Promise.race([pending, new Promise((resolve) => setTimeout(resolve, 2_000))]),
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
