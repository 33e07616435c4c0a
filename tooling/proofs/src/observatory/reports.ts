import { createEvents } from '@portcullis/core';
import { context, reportEndpoint, securityHeaders, type SecurityHeadersOptions } from '@portcullis/headers';
import type { Express } from 'express';
import type { Browser } from 'playwright-core';
import type { Certificate } from './certificate.js';
import { serve } from './serve.js';
import { expressMajors, type Major } from './sites.js';

/** What the endpoint said about a report. */
export interface Reported {
  readonly rule: string;
  readonly disposition: string | undefined;
  readonly page: string | undefined;
  readonly blocked: string | undefined;
  readonly report: string;
}

export interface ReportRun {
  /** Bodies that the browser sent, by type. */
  readonly bodies: Readonly<Record<string, number>>;
  /** Reports in all these bodies. */
  readonly sent: number;
  readonly reported: readonly Reported[];
  /** Did the inline script of the page run? */
  readonly ran: boolean;
  readonly host: string;
}

export const VISITS = 3;

/**
 * A page with one script that both policies forbid and one image that only the one on trial would: visited
 * {@link VISITS} times by a real browser, until the reports of all visits have come or the time is over.
 */
export async function reportsOf(
  browser: Browser,
  certificate: Certificate,
  major: Major,
  headers: Partial<SecurityHeadersOptions>,
  expectReports: boolean,
): Promise<ReportRun> {
  const bodies: Record<string, number> = {};
  const reported: Reported[] = [];
  let sent = 0;
  const served = await serve(certificate, () => {
    const app: Express = expressMajors[major]();
    const events = createEvents();
    events.on('headers.reported', ({ rule, disposition, page, blocked, report }) => {
      reported.push({ rule, disposition, page, blocked, report });
    });
    app.use(context({ trustProxy: false }));
    app.use('/reports', (req, _res, next) => {
      const type = String(req.headers['content-type']);
      bodies[type] = (bodies[type] ?? 0) + 1;
      req.on('data', (chunk: Buffer) => {
        sent += (String(chunk).match(/"(?:documentURL|document-uri)"/g) ?? []).length;
      });
      next();
    });
    app.post('/reports', reportEndpoint({ events }));
    app.use(securityHeaders({ profile: 'web', ...headers }));
    app.get('/', (_req, res) => {
      res.type('html').send(
        `<!doctype html><html lang="en"><title>Violations</title>
<script>document.documentElement.dataset.ran = 'yes'</script><img alt="" src="/pixel.svg?secret=1"></html>`,
      );
    });
    app.get('/pixel.svg', (_req, res) => {
      res.type('svg').send('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>');
    });
    return app;
  });
  const page = await browser.newPage();
  try {
    let ran = false;
    for (let visit = 0; visit < VISITS; visit++) {
      await page.goto(`https://${served.host}/?visit=${visit}`);
      ran ||= (await page.evaluate(() => document.documentElement.dataset['ran'])) === 'yes';
    }
    // Three violations a visit. Where none may come, a second is enough to see one that does.
    const waited = expectReports ? 20_000 : 1_500;
    const allCame = (): boolean => expectReports && sent >= VISITS * 3;
    for (const from = performance.now(); performance.now() - from < waited && !allCame();)
      await new Promise((resolve) => setTimeout(resolve, 50));
    return { bodies, sent, reported, ran, host: served.host };
  } finally {
    await page.close();
    served.close();
  }
}
