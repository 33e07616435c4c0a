import express, { type RequestHandler } from 'express';
import { expressService, type ExpressParts } from '../express-service.js';
import { ORIGIN } from '../check.js';
import { listen } from './listen.js';
import type { Stack } from './stack.js';

const pass: RequestHandler = (_req, _res, next) => next();

/** Input as it comes. */
export const unchecked: Pick<ExpressParts, 'check' | 'body' | 'query' | 'params'> = {
  check: { item: [], search: [], itemId: [], settings: [], signIn: [], form: [], target: [] },
  body: (req) => (req.body ?? {}) as unknown,
  query: (req) => req.query,
  params: (req) => req.params,
};

/** Express 5 and its own body parsers, without any protection. */
export const bare: Stack = {
  name: 'bare Express 5',
  parts: 'express, express.json, express.urlencoded, express.static',
  async start({ calls, folders }) {
    const app = expressService(
      {
        ...unchecked,
        express,
        trustProxy: false,
        edge: [],
        api: [],
        page: [],
        json: express.json(),
        form: express.urlencoded({ extended: true }),
        afterBodies: [],
        signInLimit: [],
        tightLimit: [],
        accountOnly: [signedInOnly],
        guardThat: (end) => (req, res, next) => end(req, res, next) as void,
        async: (handler) => handler as unknown as RequestHandler,
        redirect: (_req, res, target) => res.redirect(target),
        files: express.static(folders.files, { dotfiles: 'allow' }),
        last: [pass],
      },
      calls,
    );
    const { port, stop } = await listen(app);
    return { port, stop, legitimate: async () => ({ origin: ORIGIN, 'sec-fetch-site': 'same-origin' }) };
  },
};

/** A session is a cookie, as far as this shop is concerned. */
export const signedInOnly: RequestHandler = (req, res, next) => {
  if (/(?:^|;\s*)session=ann(?:;|$)/.test(req.headers.cookie ?? '')) next();
  else res.status(401).json({ error: 'Please sign in.' });
};
