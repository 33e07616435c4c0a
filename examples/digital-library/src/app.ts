import { errorHandler, notFound } from '@portcullis/errors';
import { liveness, readiness } from '@portcullis/errors/server';
import type { SecurityRequest } from '@portcullis/core';
import { csrf } from '@portcullis/csrf';
import {
  httpsOnly,
  noStore,
  reportEndpoint,
  requestFirewall,
  resourceIsolation,
  secureCookies,
  securityHeaders,
} from '@portcullis/headers';
import { context, policies, rateLimit, rateLimits } from '@portcullis/rate-limit';
import type { RouteRule } from '@portcullis/rbac';
import { createRedactor } from '@portcullis/redact';
import { strictForm, strictJson } from '@portcullis/validation';
import type { OpenApiDocument } from '@portcullis/validation/openapi';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { fileURLToPath } from 'node:url';
import type { House } from './house.js';
import { limits } from './limits.js';
import { openApiDocument } from './openapi.js';
import { recordAdministration } from './role-log.js';
import { accessPages } from './routes/access-pages.js';
import { accountPages } from './routes/account-pages.js';
import { api } from './routes/api.js';
import { bookPages } from './routes/book-pages.js';
import { coverPages } from './routes/cover-pages.js';
import { historyPages } from './routes/history-pages.js';
import { keyPages } from './routes/key-pages.js';
import { loanPages } from './routes/loan-pages.js';
import { emergencyPages } from './routes/emergency-pages.js';
import { emailPages } from './routes/email-pages.js';
import { mailPages } from './routes/mail-pages.js';
import { passkeyPages } from './routes/passkey-pages.js';
import { reviewPages } from './routes/review-pages.js';
import { secondFactorPages } from './routes/second-factor-pages.js';
import { sessionPages } from './routes/session-pages.js';
import { staffPages } from './routes/staff-pages.js';
import { toProblem } from './problems.js';
import { errorPage } from './views/error-page.js';

/** The whole posture of the library, from top to bottom: what a request passes, in this order. */
export function createApp(house: House): Express {
  const { auth, audit, rbac, events, windows, origin, trustProxy } = house;
  const { perMinute } = limits;
  const app = express();
  app.set('trust proxy', trustProxy);
  app.set('query parser', 'simple');

  // Who connects, what the browser may do, what is written down about it.
  const headers = securityHeaders({ profile: 'web', reports: '/reports', events });
  const isPublic = origin?.protocol === 'https:';
  app.use(context({ trustProxy, events }));
  app.use(headers); // After context(), which knows whether a proxy in front speaks TLS: HSTS depends on it.
  app.use(rbac.requireDecision()); // Whatever a route forgets: no answer below 400 without a decision.
  app.use(audit.accessLog());
  app.use(secureCookies({ allowLoopback: !isPublic, events }));
  app.use(
    requestFirewall({
      ...(origin ? { hosts: [origin.host] } : {}),
      trustProxy,
      allowedQueryParameters: ['token'], // Of links in messages, which count once.
      events,
    }),
  );
  app.use(
    isPublic ? httpsOnly({ hosts: [origin.host], events }) : httpsOnly({ allowLoopback: true, events }),
  );
  // Before csrf(): browsers send reports on their own account. What they tell ends in the audit log (report-log.ts).
  app.use(
    '/reports',
    rateLimit({ name: 'reports', limit: perMinute.reports, window: '1m', store: windows, events }),
    reportEndpoint({ events, ...(origin ? { origins: [origin.origin] } : {}) }),
  );
  app.use(csrf({ events, ...(origin ? { trustedOrigins: [origin.origin] } : {}) }));
  app.use(resourceIsolation({ kind: 'pages', events })); // Other sites may link here, and load nothing.

  // For whoever looks after the process: never counted, never signed in.
  app.get('/health/live', rbac.public('says that the process runs'), liveness());
  app.get(
    '/health/ready',
    rbac.public('says whether requests can be served'),
    readiness({ database: house.check }),
  );

  // How often, how much, and who.
  app.use(rateLimit({ name: 'address', limit: perMinute.address, window: '1m', store: windows, events }));
  app.use(auth.wellKnown());
  app.use(
    '/assets',
    rbac.public('style sheet, icon and script'),
    express.static(assets, { index: false, maxAge: '1h' }),
  );
  // A body has one reading; covers bring one of a third type and read it themselves.
  app.use(strictJson({ otherTypes: 'pass', events }), strictForm({ otherTypes: 'pass', events }));
  app.use(auth.authenticate());
  app.use(noStore({ when: 'always' })); // Every page says who looks at it, if only by its menu.
  app.use(
    rateLimit({
      name: 'person',
      by: 'principal',
      limit: perMinute.person,
      window: '1m',
      store: windows,
      events,
    }),
  );

  // What can be done. Every route says who may; the library does not start with one that says nothing.
  let description: OpenApiDocument | undefined;
  app.get('/openapi.json', rbac.public('describes the API'), (_req, res) => {
    res.json((description ??= openApiDocument(app)));
  });
  app.use(
    [
      '/sign-in',
      '/register',
      '/reset',
      '/account/second-factor',
      '/account/email',
      '/api/auth/sign-in',
      '/api/auth/passkeys/sign-in',
      '/api/auth/register',
      '/api/auth/reset',
      '/api/auth/password',
      '/api/auth/login',
      '/api/auth/totp',
      '/api/auth/recovery-codes',
    ],
    rateLimit({
      name: 'attempts',
      limit: perMinute.attempts,
      window: '1m',
      skip: isReading,
      store: windows,
      events,
    }),
  );
  // Those who sign in rightly share an address with a whole school; those who do not are few.
  app.use(
    ['/sign-in', '/api/auth/sign-in', '/api/auth/passkeys/sign-in'],
    rateLimit({ ...policies.login, onlyFailures: true, skip: isReading, store: windows, events }),
  );
  // Programs; people read pages.
  app.use('/api', rateLimits([policies.anonymous, policies.user], { store: windows, events }));
  app.use('/api/roles', rbac.adminRouter({ record: recordAdministration(audit) }));
  app.use('/api', api(house), notFound());
  app.use(coverPages(house)); // Before the tokens of forms: its form carries one beside a file, and is read by the route.
  app.use(house.formToken); // Behind the API, whose clients keep no cookies of forms.
  app.use(
    mailPages(house), // Before the form that registers at once, whose path it takes where registration is by mail.
    accountPages(house),
    bookPages(house),
    historyPages(house),
    loanPages(house),
    sessionPages(house),
    emailPages(house),
    passkeyPages(house),
    secondFactorPages(house),
    keyPages(house),
  );
  let routes: readonly RouteRule[] = [];
  app.use(
    '/staff',
    staffPages(house),
    reviewPages(house),
    accessPages(house, () => routes),
    emergencyPages(house),
  );

  app.use(notFound());
  app.use(((error, req, res, next) => {
    // What context() itself refuses has not come past the headers.
    if (res.hasHeader('Content-Security-Policy')) next(error);
    else headers(req, res, () => next(error));
  }) satisfies ErrorRequestHandler);
  app.use(errorHandler({ html: errorPage, map: toProblem, redact: createRedactor().redact, events }));
  routes = rbac.seal(app);
  return app;
}

const assets = fileURLToPath(new URL('../public/', import.meta.url));

function isReading({ method }: SecurityRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}
