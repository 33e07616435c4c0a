import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  createAuth,
  createMemoryStore,
  createSessions,
  createTokens,
  generateKeys,
  keyValueSessions,
} from '@portcullis/auth';
import { memoryUsers } from '@portcullis/auth/testing';
import { context } from '@portcullis/core';
import { errorHandler } from '@portcullis/errors';
import express5 from 'express';
import express4 from 'express4';
import type { Chance } from './chance.js';
import { audience, clock, issuer } from './kinds.js';

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('');
const ANYTHING = `${PRINTABLE}\0\t\r\n\u007f\u0080\u00e9\u00ff\u0100\u200b\u{1f511}`;
const SCHEMES = [
  'Basic',
  'Token',
  'JWT',
  'Digest',
  'Negotiate',
  'DPoP',
  'bearer',
  'BEARER',
  'Bearer:',
  'Bearer,',
  'Bear er',
  'Bearer\u00a0',
  '',
];

export interface HeaderResult {
  readonly tried: number;
  readonly byStatus: Readonly<Record<number, number>>;
  readonly problems: readonly string[];
}

/** The header values a client might send, at the middleware itself: node:http would refuse some of them on the way. */
export async function fuzzAuthorization(count: number, chance: Chance): Promise<HeaderResult> {
  const { apps, token } = await shop();
  const byStatus: Record<number, number> = {};
  const problems: string[] = [];
  for (const app of apps) {
    const control = await ask(app, `Bearer ${token}`);
    if (control.status !== 200 || control.body !== 'u1')
      problems.push('the control: a good header is refused');
  }
  for (let i = 0; i < count; i++) {
    const header = headerValue(token, chance);
    const { status, body } = await ask(apps[i % 2]!, header);
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    const accepted = status === 200 && body !== 'nobody';
    // RFC 6750: the scheme in any case, spaces, the very token, spaces.
    const meant = typeof header === 'string' && /^bearer +(\S+) *$/i.exec(header)?.[1] === token;
    if (status >= 500 || accepted !== meant || (status !== 200 && status !== 401))
      problems.push(`${status} ${body} for ${JSON.stringify(header).slice(0, 200)}`);
  }
  return { tried: count, byStatus, problems };
}

function headerValue(token: string, chance: Chance): unknown {
  const scheme = chance.of(SCHEMES);
  const at = chance.number(token.length);
  switch (chance.number(10)) {
    case 0:
      return chance.text(chance.number(300), ANYTHING);
    case 1:
      return `Bearer ${chance.text(chance.number(300), ANYTHING)}`;
    case 2:
      return `${scheme} ${token}`;
    case 3:
      return `Bearer ${token.slice(0, at)}${chance.of([...ANYTHING])}${token.slice(at)}`;
    case 4:
      return `Bearer${' '.repeat(chance.number(5))}${token}${chance.text(chance.number(3), ' \t,;=')}`;
    case 5:
      return `Bearer ${token}, Bearer ${token}`;
    case 6:
      return `Bearer ${chance.of(['%', '%00', '%zz', '%ff%fe', '%E0%A4%A'])}${token}`;
    case 7:
      return chance.number(50) === 0
        ? `Bearer ${'a'.repeat(100_000)}`
        : `Bearer ${'.'.repeat(chance.number(50))}`;
    case 8:
      return chance.of<unknown>([
        [`Bearer ${token}`, `Bearer ${token}`],
        [],
        {},
        7,
        null,
        '',
        ' ',
        'Bearer',
        'Bearer ',
      ]);
    default:
      return `Bearer ${token.slice(0, at)}`;
  }
}

async function shop() {
  const store = createMemoryStore({ clock });
  const sessionStore = keyValueSessions({ store });
  const keys = generateKeys('HS256');
  const auth = createAuth({
    issuer,
    audience,
    keys,
    users: memoryUsers(),
    store,
    sessions: { store: sessionStore },
    clock,
  });
  const tokens = createTokens({ issuer, audience, keys, clock });
  const sessions = createSessions({ store: sessionStore, tokens, clock });
  const { accessToken } = await sessions.create({ userId: 'u1', epoch: 0 });
  const apps = [express5, express4 as unknown as typeof express5].map((express) => {
    const app = express();
    app.use(context({ trustProxy: false }), auth.authenticate());
    app.use((req, res) => void res.end(req.security.principal.id ?? 'nobody'));
    app.use(errorHandler());
    return app as unknown as (req: IncomingMessage, res: ServerResponse) => void;
  });
  return { apps, token: accessToken };
}

const socket = new Socket();
Object.defineProperty(socket, 'remoteAddress', { value: '203.0.113.9' });

function ask(
  app: (req: IncomingMessage, res: ServerResponse) => void,
  authorization: unknown,
): Promise<{ status: number; body: string }> {
  const req = Object.assign(new IncomingMessage(socket), { method: 'GET', url: '/' });
  (req.headers as Record<string, unknown>)['authorization'] = authorization;
  const res = new ServerResponse(req);
  return new Promise((resolve) => {
    res.end = ((body?: unknown) => {
      resolve({
        status: res.statusCode,
        body: Buffer.isBuffer(body) ? body.toString() : typeof body === 'string' ? body : '',
      });
      return res;
    }) as typeof res.end;
    app(req, res);
  });
}
