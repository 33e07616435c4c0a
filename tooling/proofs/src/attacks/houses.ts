import { context, createEvents, type Events, type SecurityRequest } from '@portcullis/core';
import { csrf, upgradeGuard } from '@portcullis/csrf';
import { errorHandler, notFound } from '@portcullis/errors';
import {
  clearSiteData,
  cors,
  httpsOnly,
  requestFirewall,
  resourceIsolation,
  secureCookies,
  securityHeaders,
} from '@portcullis/headers';
import { createRedirects } from '@portcullis/validation';
import { createUrlChecker, escapeHtml, jsonForScript } from '@portcullis/validation/encode';
import { createHtmlSanitizer } from '@portcullis/validation/html';
import { downloadHeaders } from '@portcullis/validation/uploads';
import { randomBytes } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type { Request, RequestHandler } from 'express';
import type { Names } from './names.js';
import type { House } from './victim.js';

const asHandler = (middleware: unknown): RequestHandler => middleware as RequestHandler;

/** Express as in its guide: routes, body parsers, and nothing else. */
export const bareHouse: House = {
  cookieName: 'sid',
  edge: [(_req, _res, next) => next()],
  identified: () => undefined,
  changes: [],
  token: [],
  signOut: [],
  last: [],
  cors: (rule) => (req, res, next) => {
    const { origin } = req.headers;
    if (origin !== undefined && rule(origin)) {
      res.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Allow-Methods': 'GET,POST,PUT,DELETE',
        'Access-Control-Allow-Headers': 'content-type',
      });
    }
    if (req.method === 'OPTIONS') res.status(204).end();
    else next();
  },
  widget: [],
  nonce: () => '',
  html: (text) => text,
  rich: (html) => html.replaceAll(/<script.*?>|<\/script>/g, ''),
  url: (text) => text,
  json: (value) => JSON.stringify(value),
  download: (_name, type) => (type === undefined ? {} : { 'Content-Type': type }),
  next: (target) => target,
};

/** The same with our middleware; `tell` hears what they refuse. */
export function ownHouse(names: Names, server: EventEmitter, tell: (what: string) => void): House {
  const heard = createEvents();
  heard.on('csrf.refused', ({ reason }) => tell(`csrf: ${reason}`));
  heard.on('headers.refused', ({ guard, reason }) => tell(`${guard}: ${reason}`));
  const events: Events = heard;
  upgradeGuard(server, { events });
  const { rich } = createHtmlSanitizer();
  const safeUrl = createUrlChecker();
  const redirects = createRedirects({ fallback: '/' });
  const isolate = asHandler(resourceIsolation({ events }));
  const isolateWidget = asHandler(resourceIsolation({ allowFraming: true, events }));
  return {
    cookieName: '__Host-sid',
    edge: [
      context({ trustProxy: false }),
      requestFirewall({ hosts: [names.host], events }),
      securityHeaders({ profile: 'web' }),
      httpsOnly({ hosts: [names.host], events }),
      secureCookies({ events }),
      csrf({ trustedOrigins: [names.partner], events }),
      ((req, res, next) => {
        if (req.path.startsWith('/api/')) next();
        else (req.path === '/widget' ? isolateWidget : isolate)(req, res, next);
      }) satisfies RequestHandler,
    ].map(asHandler),
    identified(req: Request, user: string, session: string) {
      (req as unknown as SecurityRequest).security!.principal = {
        kind: 'user',
        id: user,
        sessionId: session,
      };
    },
    changes: [asHandler(csrf.stateChange())],
    token: [asHandler(csrf.token({ keys: randomBytes(32).toString('base64url'), events }))],
    signOut: [asHandler(clearSiteData())],
    last: [notFound(), errorHandler({ logger: false })],
    cors: () => asHandler(cors({ origins: [names.partner], credentials: true, events })),
    widget: [
      asHandler(
        securityHeaders({
          profile: 'web',
          csp: { directives: { 'frame-ancestors': [names.partner] } },
        }),
      ),
    ],
    nonce: (res) => String(res.locals['cspNonce']),
    html: escapeHtml,
    rich,
    url: (text) => escapeHtml(safeUrl(text) ?? '/'),
    json: jsonForScript,
    download: (name, type) => ({ ...downloadHeaders({ name, type: type ?? 'application/octet-stream' }) }),
    next: (target) => redirects.to(target),
  };
}
