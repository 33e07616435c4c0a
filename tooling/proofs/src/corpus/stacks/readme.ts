import cookieParser from 'cookie-parser';
import cors from 'cors';
import { doubleCsrf } from 'csrf-csrf';
import express, { type Request, type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { HOST, ORIGIN } from '../check.js';
import { expressService, type InputName } from '../express-service.js';
import { send } from '../wire.js';
import { signedInOnly } from './bare.js';
import { listen } from './listen.js';
import { ALLOWED_ORIGIN, PROXY, type Stack } from './stack.js';

const item = z.object({
  name: z.string().min(1).max(100),
  price: z.number().positive(),
  quantity: z.number().int().max(1_000_000).optional(),
  tags: z.array(z.string().max(30)).max(10).optional(),
});
const bodies: Partial<Record<InputName, z.ZodType>> = {
  item,
  form: z.object({ name: z.string().min(1).max(100), price: z.coerce.number().positive() }),
  settings: z.looseObject({ theme: z.string().max(30).optional() }),
  signIn: z.object({ email: z.email(), password: z.string().min(1).max(200) }),
};
const texts: Partial<Record<InputName, z.ZodType>> = {
  search: z.object({
    q: z.string().min(1).max(100),
    page: z.coerce.number().int().min(1).max(1000).optional(),
  }),
  itemId: z.object({ id: z.coerce.number().int().min(1).max(1_000_000) }),
  target: z.object({ to: z.string().max(2000).optional(), text: z.string().max(200).optional() }),
};

/** Express 5 as the READMEs of the well-known packages show it, each with what its README's first example sets. */
export const readme: Stack = {
  name: 'README-style Express 5',
  parts: 'helmet, cors, express-rate-limit, cookie-parser, csrf-csrf, express.json, zod, express.static',
  async start({ calls, folders }) {
    const secret = randomBytes(32).toString('hex');
    const { doubleCsrfProtection, generateCsrfToken } = doubleCsrf({
      getSecret: () => secret,
      getSessionIdentifier: (req) => String((req as Request).cookies['session'] ?? ''),
    });
    const limit = (max: number): RequestHandler =>
      rateLimit({ windowMs: 60_000, limit: max, standardHeaders: 'draft-8', legacyHeaders: false });
    const parsed = new WeakMap<Request, Partial<Record<InputName, unknown>>>();
    const keep = (req: Request, name: InputName, value: unknown): void => {
      parsed.set(req, { ...parsed.get(req), [name]: value });
    };
    const parse =
      (name: InputName, schema: z.ZodType, input: (req: Request) => unknown): RequestHandler =>
      (req, res, next) => {
        const result = schema.safeParse(input(req));
        if (!result.success) {
          res.status(400).json({ errors: result.error.issues });
          return;
        }
        keep(req, name, result.data);
        next();
      };
    const body = (name: InputName): RequestHandler[] => [parse(name, bodies[name]!, (req) => req.body)];
    const input = (req: Request, name: InputName): Record<string, unknown> =>
      parsed.get(req)?.[name] as Record<string, unknown>;

    const app = expressService(
      {
        express,
        trustProxy: PROXY,
        edge: [
          helmet(),
          cors({ origin: [ALLOWED_ORIGIN, /\.partner\.example$/], credentials: true }),
          limit(10_000),
        ],
        api: [],
        page: [],
        json: express.json(),
        form: express.urlencoded({ extended: true }),
        afterBodies: [cookieParser()],
        setUp: (service) => {
          service.get('/csrf-token', (req, res) => void res.json({ csrfToken: generateCsrfToken(req, res) }));
          service.use(doubleCsrfProtection);
        },
        check: {
          item: body('item'),
          form: body('form'),
          settings: body('settings'),
          signIn: body('signIn'),
          search: [parse('search', texts.search!, (req) => req.query)],
          itemId: [parse('itemId', texts.itemId!, (req) => req.params)],
          target: [parse('target', texts.target!, (req) => req.query)],
        },
        body: input,
        query: input,
        params: input,
        signInLimit: [limit(5)],
        tightLimit: [limit(3)],
        accountOnly: [signedInOnly],
        guardThat: (end) => (req, res, next) => end(req, res, next) as void,
        async: (handler) => handler as unknown as RequestHandler,
        redirect: (_req, res, target) => res.redirect(target),
        files: express.static(folders.files),
        last: [],
      },
      calls,
    );
    const { port, stop } = await listen(app);
    return { port, stop, legitimate: once(() => fetchToken(port)) };
  },
};

/** What a page of the shop does before its first change of state: cookie and token. */
export async function fetchToken(port: number): Promise<Readonly<Record<string, string>>> {
  const { answers } = await send(
    port,
    `GET /csrf-token HTTP/1.1\r\nhost: ${HOST}\r\nx-forwarded-proto: https\r\nx-forwarded-for: 192.0.2.200\r\nconnection: close\r\n\r\n`,
  );
  const { csrfToken } = answers[0]!.json() as { csrfToken: string };
  return {
    cookie: answers[0]!.cookies.map((line) => line.split(';')[0]!).join('; '),
    'x-csrf-token': csrfToken,
    origin: ORIGIN,
    'sec-fetch-site': 'same-origin',
  };
}

export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
