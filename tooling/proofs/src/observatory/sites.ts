import { createEvents, guard } from '@portcullis/core';
import { errorHandler, notFound, NotFound } from '@portcullis/errors';
import {
  context,
  httpsOnly,
  reportEndpoint,
  requestFirewall,
  secureCookies,
  securityHeaders,
  type SecurityHeadersOptions,
} from '@portcullis/headers';
import express5, { type Express, type RequestHandler } from 'express';
import express4 from 'express4';
import helmet from 'helmet';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const expressMajors = { 4: express4 as unknown as typeof express5, 5: express5 } as const;
export type Major = keyof typeof expressMajors;

/** A site that is scanned: the same pages, behind different middleware. */
export interface Site {
  readonly name: string;
  readonly major: Major;
  /** What the proof asks of it. */
  readonly claim: 'holds' | 'falls short';
  makeApp(host: string): Express;
}

const SCRIPT = 'document.documentElement.dataset.ran = "yes";\n';
const INTEGRITY = `sha384-${createHash('sha384').update(SCRIPT).digest('base64')}`;

export function sites(files: string): readonly Site[] {
  const ours = (
    name: string,
    major: Major,
    options: Partial<SecurityHeadersOptions>,
    claim: Site['claim'],
  ) => ({
    name,
    major,
    claim,
    makeApp: (host: string) => ownSite(major, host, files, options),
  });
  const majors = [4, 5] as const;
  return [
    ...majors.map((major) => ours(`Portcullis on Express ${major}`, major, {}, 'holds')),
    ...majors.map((major) => ({
      name: `bare Express ${major}`,
      major,
      claim: 'falls short' as const,
      makeApp: () => plainSite(major, files, []),
    })),
    ...majors.map((major) => ({
      name: `helmet() on Express ${major}`,
      major,
      claim: 'falls short' as const,
      makeApp: () => plainSite(major, files, [helmet() as RequestHandler]),
    })),
    ours(
      'Portcullis, inline scripts allowed',
      5,
      {
        csp: {
          directives: { 'script-src': ["'self'", "'unsafe-inline'"] },
          dangerouslyAllowUnsafeScripts: true,
        },
      },
      'falls short',
    ),
    ours('Portcullis, no HSTS', 5, { hsts: false }, 'falls short'),
  ];
}

/** The folder that the sites serve. */
export function makeFiles(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-files-'));
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'app.js'), SCRIPT);
  writeFileSync(join(folder, 'folder', 'index.html'), '<!doctype html><title>Folder</title>');
  return folder;
}

function ownSite(
  major: Major,
  host: string,
  files: string,
  options: Partial<SecurityHeadersOptions>,
): Express {
  const app = expressMajors[major]();
  app.use(context({ trustProxy: false }));
  app.use(securityHeaders({ profile: 'web', reports: '/reports', ...options }));
  app.use(secureCookies(), requestFirewall({ hosts: [host] }), httpsOnly({ hosts: [host] }));
  app.post('/reports', reportEndpoint({ events: createEvents() }));
  routes(app, major, files);
  app.get(
    '/guarded',
    guard('broken', { stage: 'authorize' }, () => {
      throw undefined;
    }),
  );
  app.get('/problem', () => {
    throw new NotFound();
  });
  app.use(notFound());
  app.use(errorHandler({ logger: false }));
  return app;
}

function plainSite(major: Major, files: string, edge: readonly RequestHandler[]): Express {
  const app = expressMajors[major]();
  app.set('env', 'test'); // Express then prints no errors; its answers keep their headers.
  for (const handler of edge) app.use(handler);
  routes(app, major, files);
  return app;
}

function routes(app: Express, major: Major, files: string): void {
  app.get('/', (_req, res) => {
    res.cookie('session', 'a value that nobody guesses', { secure: true, httpOnly: true, sameSite: 'lax' });
    res.type('html').send(page((res.locals as { cspNonce?: string }).cspNonce));
  });
  app.get('/data', (_req, res) => void res.json({ hello: 'world' }));
  app.get('/nothing', (_req, res) => void res.status(204).end());
  app.get('/moved', (_req, res) => res.redirect('/'));
  app.get('/refused', (_req, res) => void res.status(403).json({ no: true }));
  app.get('/thrown', () => {
    throw new Error('the handler broke');
  });
  app.get('/unavailable', (_req, res) => void res.status(503).send('later'));
  app.get('/cut', (_req, res) => {
    res.type('text').write('the first half');
    // The head is on its way; then the source of the rest fails.
    setTimeout(() => res.destroy(new Error('the source ended')), 50);
  });
  app.post(
    '/json',
    expressMajors[major].json({ limit: '1kb' }),
    (_req, res) => void res.status(201).json({}),
  );
  app.use('/files', expressMajors[major].static(files));
}

function page(nonce: string | undefined): string {
  const own = nonce === undefined ? '' : ` nonce="${nonce}"`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A site</title>
<script src="/files/app.js" integrity="${INTEGRITY}" crossorigin="anonymous"${own}></script></head><body><p>A site.</p></body></html>`;
}
