import { createAuth, generateKeys, type AuthMessage } from '@portcullis/auth';
import { passkeys } from '@portcullis/auth/passkeys';
import { memoryUsers, testHasher } from '@portcullis/auth/testing';
import { context, createEvents, createMemoryStore, isSecurityError } from '@portcullis/core';
import express5, { type NextFunction, type Request, type Response } from 'express';
import express4 from 'express4';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export const password = 'kestrel bakes ochre bread';

export interface Site {
  url(host: string, path?: string): string;
  /** The same pages on another port: another origin with the same RP id. */
  readonly besides: string;
  /** The words that tell apart why responses from elsewhere were refused. */
  refused(): readonly string[];
  /** The link that finishes a registration. */
  link(login: string): Promise<string>;
  /** The type of the last message to the owner. */
  told(): Promise<string | undefined>;
  stop(): Promise<void>;
}

/** A small service with passkeys and cookies, and a page that uses them as pages do. */
export async function serveSite(version: 4 | 5): Promise<Site> {
  const app = version === 4 ? (express4 as unknown as typeof express5)() : express5();
  const servers = await Promise.all([listening(app), listening(app)]);
  const [port, other] = servers.map((server) => (server.address() as AddressInfo).port);
  const url = (host: string, path = '/') => `http://${host}:${port}${path}`;
  const reasons: string[] = [];
  const messages: AuthMessage[] = [];
  const events = createEvents();
  events.on('auth.passkey-refused', ({ reason }) => void reasons.push(reason));
  const auth = createAuth({
    issuer: 'https://library.example',
    audience: 'https://library.example',
    keys: generateKeys(),
    users: memoryUsers(),
    store: createMemoryStore(),
    passwords: { hash: testHasher() },
    notify: async (message) => void messages.push(message),
    transport: { cookies: { profile: 'development' } },
    passkeys: passkeys({
      rpId: 'localhost',
      rpName: 'Library',
      origins: [`http://localhost:${port}`],
      secondFactor: true,
    }),
    events,
  });
  // Her address has been shown to be hers.
  await auth.register({ login: 'ada@library.example', password }, { address: undefined });
  app.use(context({ trustProxy: false }), express5.json(), auth.authenticate());
  app.get(
    '/',
    (_req: Request, res: Response) => void res.type('html').send(PAGE.replace('$SITE', url('localhost', ''))),
  );
  app.get('/around', (_req: Request, res: Response) => {
    const frame = `<iframe src="${url('localhost')}" allow="publickey-credentials-get *"></iframe>`;
    res.type('html').send(frame);
  });
  // The challenge that somebody else's page brings along.
  app.get('/challenge', async (_req: Request, res: Response) => {
    res.set('access-control-allow-origin', '*').json(await auth.startPasskeySignIn({}));
  });
  app.post('/response', express5.text({ type: '*/*' }), async (req: Request, res: Response) => {
    res.set('access-control-allow-origin', '*');
    const body = JSON.parse(String(req.body)) as Parameters<typeof auth.completePasskeySignIn>[0];
    const status = await auth.completePasskeySignIn(body, auth.metaOf(req)).then(
      () => 200,
      (error: unknown) => (isSecurityError(error) ? error.status : 500),
    );
    res.status(status).end();
  });
  app.use('/auth', auth.router());
  app.get('/strong', auth.required({ aal: 2 }), (_req: Request, res: Response) => void res.json({}));
  app.get('/me', auth.required(), (req: Request, res: Response) => void res.json(req.security.principal));
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const known = isSecurityError(error) ? error : undefined;
    res.status(known?.status ?? 500).json({ code: known?.code, ...known?.problem });
  });
  return {
    url,
    besides: `http://localhost:${other}/`,
    refused: () => reasons.splice(0).map((reason) => /cross-origin frame|origin/.exec(reason)?.[0] ?? reason),
    async link(login) {
      await auth.startRegistration({ login });
      await auth.settled();
      const message = messages.findLast(({ to }) => to === login);
      return message?.type === 'complete-registration' ? message.token.reveal() : 'none';
    },
    async told() {
      await auth.settled();
      return messages.at(-1)?.type;
    },
    async stop() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
}

async function listening(app: RequestListener): Promise<Server> {
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** What a page needs for passkeys: the browser reads and writes the JSON forms itself. */
const PAGE = `<!doctype html><title>Passkeys</title><script>
let challenge;
const site = '$SITE';
const send = (method, path, body) => fetch(path, {
  method, headers: { 'content-type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}),
});
const post = async (path, body) => { const answer = await send('POST', path, body); return { status: answer.status, body: await answer.json().catch(() => ({})) }; };
const status = async (path) => (await fetch(path)).status;
const level = async () => (await (await fetch('/me')).json()).aal;
const account = { login: 'ada@library.example', password: '${password}' };
const named = (run) => run().catch((error) => error.name);
const signIn = async () => { await post('/auth/sign-in', account); return level(); };
const half = async () => { const { body } = await post('/auth/sign-in', account); challenge = body.challenge; return body.code; };
const get = (options) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
const use = (path, more = {}) => named(async () => {
  const { body } = await post(path + '/options', more);
  const credential = await get(body.options);
  return (await post(path, { ...more, response: credential.toJSON() })).status;
});
const second = () => use('/auth/passkeys/sign-in', { challenge });
const add = (name) => named(async () => {
  const { body } = await post('/auth/passkeys/options', {});
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(body.options);
  const credential = await navigator.credentials.create({ publicKey });
  return (await post('/auth/passkeys', { name, response: credential.toJSON() })).status;
});
const begin = (token) => named(async () => {
  const { body } = await post('/auth/register/passkey/options', { token });
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(body.options);
  const credential = await navigator.credentials.create({ publicKey });
  return (await post('/auth/register/passkey', { token, response: credential.toJSON() })).status;
});
const removeAll = async () => {
  const { passkeys } = await (await fetch('/auth/passkeys')).json();
  return (await send('DELETE', '/auth/passkeys/' + passkeys[0].id)).status;
};
const elsewhere = () => named(async () => {
  const { ceremony, options } = await (await fetch(site + '/challenge')).json();
  const credential = await get(options);
  return (await fetch(site + '/response', { method: 'POST', body: JSON.stringify({ ceremony, response: credential.toJSON() }) })).status;
});
</script>`;
