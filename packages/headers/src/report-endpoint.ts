import {
  guard,
  option,
  OptionError,
  parseOrigin,
  readOptions,
  systemClock,
  type Clock,
  type Duration,
  type Events,
  type Middleware,
  type OptionReader,
  type SecurityRequest,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import { parseReports } from './report-parsing.js';
import { createReportWindow } from './report-window.js';

export interface ReportEndpointOptions {
  /** Receives `headers.reported`. */
  readonly events: Events;
  /** Origins of the pages that reports may be about. @default the host that the report is sent to */
  readonly origins?: readonly string[];
  /** Largest body in bytes, 1,024 to 1,048,576. @default 65536 */
  readonly maxBytes?: number;
  /** Reports read from one body, 1 to 1,000; the rest is ignored. @default 50 */
  readonly maxReports?: number;
  /** Equal reports are counted for this long before the next is emitted, a second to a day. @default '10m' */
  readonly window?: Duration;
  /** Different reports remembered, 10 to 100,000. @default 1000 */
  readonly maxKinds?: number;
  /** Events in one minute, 1 to 10,000; what is beyond is counted in `dropped` of the next. @default 60 */
  readonly perMinute?: number;
  /** Keep the first 40 characters of the offending script or style; they may hold what people typed. @default false */
  readonly samples?: boolean;
  readonly clock?: Clock;
}

/**
 * Receives what browsers report about the policies of `securityHeaders({ reports })`: `application/reports+json` and the older
 * `application/csp-report`. Everything in a report can be made up by anybody: it is checked, cut down, counted, and emitted as
 * `headers.reported`; the answer is an empty 204 whatever it said. Mount it for POST before body parsers and `csrf()`, which would
 * refuse what browsers send here on their own account; behind `rateLimit()`.
 * @throws OptionError
 * @throws E_REPORT_TYPE 415, E_REPORT_TOO_LARGE 413, E_REPORT_MALFORMED 400, into the error handler
 * @see W3C Reporting API section 3; CSP3 section 5.3; OWASP ASVS 5.0 requirement 3.4.7
 */
export function reportEndpoint(options: ReportEndpointOptions): Middleware {
  const { events, origins, maxBytes, maxReports, window, maxKinds, perMinute, samples, clock } = readOptions(
    'reportEndpoint',
    options,
    {
      events: option.port<Events>(['emit']),
      origins: option.optional(option.array(originReader, { min: 1 })),
      maxBytes: option.integer({ min: 1024, max: 1_048_576, default: 65_536 }),
      maxReports: option.integer({ min: 1, max: 1000, default: 50 }),
      window: option.duration({ minMs: 1000, maxMs: 86_400_000, default: '10m' }),
      maxKinds: option.integer({ min: 10, max: 100_000, default: 1000 }),
      perMinute: option.integer({ min: 1, max: 10_000, default: 60 }),
      samples: option.boolean(false),
      clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    },
  );
  const listed = origins && new Set(origins);
  const seen = createReportWindow({ windowMs: window, maxKinds, perMinute });

  return guard('reportEndpoint', { stage: 'posture', events }, async (req, res) => {
    if (req.method !== 'POST') {
      res.statusCode = 405;
      res.setHeader('Allow', 'POST');
      res.setHeader('Content-Length', '0');
      res.end();
      return undefined;
    }
    const format = formatOf(req);
    if (!format) throw errors.E_REPORT_TYPE();
    const body = await readJson(req, maxBytes);
    const host = (req.headers.host ?? '').toLowerCase();
    const isOwn = (origin: string) =>
      listed ? listed.has(origin) : origin === `https://${host}` || origin === `http://${host}`;
    const parsed = parseReports(body, format, { isOwn, samples, maxReports });
    if (!parsed) throw errors.E_REPORT_MALFORMED({ details: { reason: 'shape' } });
    const requestId = req.security?.requestId;
    for (const report of parsed.reports) {
      const facts = seen.admit(report, clock.monotonic());
      if (!facts) continue;
      events.emit({
        type: 'headers.reported',
        ...report,
        ...facts,
        ...(requestId === undefined ? {} : { requestId }),
      });
    }
    res.statusCode = 204;
    res.end();
    return undefined;
  });
}

const FORMATS: Readonly<Record<string, 'csp-report' | 'reports+json'>> = {
  __proto__: null as never,
  'application/csp-report': 'csp-report',
  'application/reports+json': 'reports+json',
};

function formatOf(req: SecurityRequest): 'csp-report' | 'reports+json' | undefined {
  const type = (req.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  return FORMATS[type];
}

async function readJson(req: SecurityRequest, maxBytes: number): Promise<unknown> {
  // A body parser before us that takes these types has checked its own limit.
  if (req.readableEnded && typeof req.body === 'object') return req.body;
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw errors.E_REPORT_TOO_LARGE({ details: { maxBytes } });
  if (req.headers['content-encoding'] !== undefined) throw errors.E_REPORT_TYPE();
  const bytes = await readBody(req, maxBytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch {
    throw errors.E_REPORT_MALFORMED({ details: { reason: 'json' } });
  }
}

function readBody(req: SecurityRequest, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const gone = () => reject(errors.E_REPORT_MALFORMED({ details: { reason: 'aborted' } }));
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        chunks.length = 0;
        // The answer goes out while the rest is thrown away unread.
        req.removeAllListeners('data');
        req.resume();
        reject(errors.E_REPORT_TOO_LARGE({ details: { maxBytes } }));
        return;
      }
      chunks.push(chunk);
    });
    req.once('end', () => resolve(Buffer.concat(chunks)));
    req.once('error', gone);
    req.once('close', gone);
  });
}

const originReader: OptionReader<string> = (value, owner, path) => {
  const origin = typeof value === 'string' ? parseOrigin(value) : undefined;
  if (origin) return origin.text;
  throw new OptionError(
    'E_OPTION_VALUE',
    owner,
    path,
    `${path} must be an origin such as "https://library.example": no path, no trailing slash`,
  );
};
