import { randomBytes } from 'node:crypto';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import type express5 from 'express';
import type { Attack } from './attack.js';
import type { Names } from './names.js';

/** Everything in which the protected service differs from the bare one. The routes are the same. */
export interface House {
  readonly cookieName: string;
  /** Before everything else, and after body parsers and identification. */
  readonly edge: readonly RequestHandler[];
  readonly identified: (req: Request, user: string, session: string) => void;
  /** For routes that change something, whatever the method. */
  readonly changes: readonly RequestHandler[];
  /** For forms. */
  readonly token: readonly RequestHandler[];
  readonly signOut: readonly RequestHandler[];
  readonly last: readonly unknown[];
  /** Who may read the API: in the bare service, by a rule as people write it. */
  readonly cors: (rule: (origin: string) => boolean) => RequestHandler;
  /** For pages that the partner may show in a frame. */
  readonly widget: readonly RequestHandler[];
  readonly nonce: (res: Response) => string;
  readonly html: (text: string) => string;
  /** Rich text of people; in the bare service, cleaned by a regular expression. */
  readonly rich: (html: string) => string;
  readonly url: (text: string) => string;
  /** A value inside a script. */
  readonly json: (value: unknown) => string;
  /** Headers under which a file of somebody is given out. */
  readonly download: (name: string, type: string | undefined) => Record<string, string>;
  readonly next: (target: string) => string;
}

export interface State {
  /** Session to user. */
  readonly sessions: Map<string, string>;
  readonly changes: string[];
  /** What only the signed-in person may read. */
  readonly secret: string;
  /** The session that the attacker owns. */
  readonly evilSession: string;
  /** Whom the account page was last shown to. */
  readonly shown: string[];
  /** Texts that people left. */
  readonly stored: Map<string, string>;
}

export interface Victim {
  readonly app: Express;
  readonly express: typeof express5;
  readonly house: House;
  readonly names: Names;
  readonly state: State;
  readonly page: (res: Response, body: string, head?: string) => void;
  /** A script element of the service's own. */
  readonly script: (res: Response, code: string, attributes?: string) => string;
  readonly user: (req: Request) => string | undefined;
  readonly change: (what: string) => RequestHandler;
}

export function newState(): State {
  const evilSession = randomBytes(12).toString('hex');
  return {
    sessions: new Map([[evilSession, 'mallory']]),
    changes: [],
    secret: `secret${randomBytes(8).toString('hex')}`,
    evilSession,
    shown: [],
    stored: new Map(),
  };
}

/** A parameter that occurs once. */
export const textOf = (parameter: unknown): string => (typeof parameter === 'string' ? parameter : '');

/** A little bank. */
export function bank(
  express: typeof express5,
  house: House,
  names: Names,
  state: State,
  attack?: Attack,
): Express {
  const app = express();
  const user = (req: Request): string | undefined => state.sessions.get(sessionOf(req) ?? '');
  const sessionOf = (req: Request): string | undefined =>
    new RegExp(`(?:^|; )${house.cookieName}=([^;]*)`).exec(req.headers.cookie ?? '')?.[1];
  const page = (res: Response, body: string, head = ''): void => {
    res.type('html');
    res.send(
      `<!doctype html><html><head><meta charset="utf-8"><title>Bank</title>${head}</head><body>${body}</body></html>`,
    );
  };
  const script = (res: Response, code: string, attributes = ''): string =>
    `<script nonce="${house.nonce(res)}" ${attributes}>${code}</script>`;
  const change =
    (what: string): RequestHandler =>
    (req, res) => {
      const who = user(req);
      if (who === undefined) res.status(401).send('Sign in first.');
      else {
        if (who !== 'mallory') state.changes.push(`${what} by ${who}`);
        page(res, 'Done.');
      }
    };
  const tokenField = (res: Response): string => {
    const token = res.locals['csrfToken'] as string | undefined;
    return token === undefined ? '' : `<input type="hidden" name="_csrf" value="${token}">`;
  };

  app.use(...house.edge);
  app.use(express.json(), express.urlencoded({ extended: false }));
  app.use((req: Request, _res: Response, next: NextFunction) => {
    const who = user(req);
    if (who !== undefined) house.identified(req, who, sessionOf(req)!);
    next();
  });
  app.get('/favicon.ico', (_req, res) => void res.status(204).end());
  app.get('/', (_req, res) => page(res, '<h1>Bank</h1>'));
  const signInForm: RequestHandler = (_req, res) =>
    page(
      res,
      `<form method="post" action="/sign-in">${tokenField(res)}<input name="user"><button>Sign in</button></form>`,
    );
  app.get('/sign-in', ...house.token, signInForm);
  app.post('/sign-in', ...house.token, (req, res) => {
    const id = randomBytes(12).toString('hex');
    const name = String((req.body as Record<string, unknown>)['user']);
    state.sessions.set(id, name);
    const embedded = { domain: names.host, sameSite: 'none', secure: true } as const;
    res.cookie(house.cookieName, id, attack?.cookie === 'plain' ? {} : embedded);
    res.redirect(303, '/account');
  });
  app.post('/sign-out', ...house.signOut, (req, res) => {
    if (user(req) === 'alice') state.changes.push('signed out alice');
    state.sessions.delete(sessionOf(req) ?? '');
    res.clearCookie(house.cookieName, { domain: names.host, sameSite: 'none', secure: true });
    page(res, 'Bye.');
  });
  app.get('/account', ...house.token, (req, res) => {
    const who = user(req);
    if (who === undefined) {
      res.status(401).send('Sign in first.');
      return;
    }
    state.shown.push(who);
    page(
      res,
      `<form method="post" action="/transfer">${tokenField(res)}<input type="hidden" name="to" value="mallory"><button id="pay">Pay</button></form>
<p>Account of <b>${who}</b>: <i id="secret">${who === 'mallory' ? 'nothing' : state.secret}</i></p>`,
    );
  });
  app.post('/transfer', ...house.token, change('transfer'));
  const api = house.cors((origin) => origin === names.partner);
  app.use('/api', api);
  app.get('/api/me', (req, res) => void res.json({ user: user(req), secret: user(req) && state.secret }));
  app.post('/api/notes', change('note'));
  app.get('/widget', ...house.widget, (_req, res) => page(res, '<p id="widget">Rates</p>'));
  attack?.serve?.({ app, express, house, names, state, page, script, user, change });
  if (house.last.length > 0) app.use(...(house.last as RequestHandler[]));
  return app;
}
