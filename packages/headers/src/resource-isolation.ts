import {
  ALLOW,
  appendVary,
  guard,
  noEvents,
  option,
  readOptions,
  type Events,
  type Middleware,
  type SecurityRequest,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import type { RefusalGuard } from './events.js';

/** What stands behind the middleware, and so how a browser may ask for it. */
export type IsolatedKind = 'pages' | 'assets' | 'data';

export interface ResourceIsolationOptions {
  /**
   * `'pages'`: other sites may link to it (a top-level GET navigation) and nothing else. `'assets'`: images, styles and scripts for
   * own pages; other sites may neither load nor link them. `'data'`: only what scripts of own pages fetch; it is never shown as a
   * document, in a frame or as an image, not even by own pages. @default 'pages'
   */
  readonly kind?: IsolatedKind;
  /** Sister sites (`https://other.example.com` for `https://example.com`) count as own. @default false */
  readonly allowSameSite?: boolean;
  /** Pages of own origin may be shown in frames by other sites; the CSP's `frame-ancestors` says by which. Only for pages. @default false */
  readonly allowFraming?: boolean;
  /** Requests without Fetch Metadata, from old browsers and from everything that is no browser. @default 'allow' */
  readonly missing?: 'allow' | 'refuse';
  /** Emit `headers.refused` and let the request pass. @default false */
  readonly dryRun?: boolean;
  readonly events?: Events;
}

type Reason = 'cross-site' | 'context' | 'malformed' | 'missing';

const VARY = ['Sec-Fetch-Site', 'Sec-Fetch-Mode', 'Sec-Fetch-Dest'];
const SITES = new Set(['same-origin', 'same-site', 'cross-site', 'none']);

/**
 * Refuses what the page of another site asks of this one behind a person's back: loading an image, a script or a document that
 * belongs to them (cross-site leaks, script inclusion), by what browsers say in Sec-Fetch-Site, -Mode and -Dest. Who may *change*
 * is csrf()'s part and which origins may *read* is cors()'s: do not mount it before an API that other origins use.
 * @throws OptionError
 * @throws E_RESOURCE_ISOLATED 403, into the error handler
 * @see W3C Fetch Metadata Request Headers; OWASP ASVS 5.0 requirements 3.2.1, 3.5.8 and 3.7.5
 */
export function resourceIsolation(options: ResourceIsolationOptions = {}): Middleware {
  const { kind, allowSameSite, allowFraming, missing, dryRun, events } = readOptions(
    'resourceIsolation',
    options,
    {
      kind: option.oneOf(['pages', 'assets', 'data'], 'pages'),
      allowSameSite: option.boolean(false),
      allowFraming: option.boolean(false),
      missing: option.oneOf(['allow', 'refuse'], 'allow'),
      dryRun: option.boolean(false),
      events: option.port<Events>(['emit'], noEvents),
    },
  );
  const own = new Set(allowSameSite ? ['same-origin', 'same-site'] : ['same-origin']);
  const documents = new Set(allowFraming ? ['document', 'iframe', 'frame'] : ['document']);

  function judge(req: SecurityRequest): Reason | undefined {
    const site = field(req, 'sec-fetch-site');
    const mode = field(req, 'sec-fetch-mode');
    const dest = field(req, 'sec-fetch-dest');
    if (site === undefined) return missing === 'refuse' ? 'missing' : undefined;
    if (!SITES.has(site)) return 'malformed';
    if (kind === 'data') {
      if (!own.has(site)) return 'cross-site';
      // Absent in early implementations; a document says that it is one.
      return dest === undefined || dest === 'empty' ? undefined : 'context';
    }
    if (own.has(site) || site === 'none') return undefined;
    const navigates = mode === 'navigate' && (req.method === 'GET' || req.method === 'HEAD');
    return kind === 'pages' && navigates && documents.has(dest ?? '') ? undefined : 'cross-site';
  }

  return guard('resourceIsolation', { stage: 'posture', detail: kind, events }, (req, res) => {
    appendVary(res, VARY);
    const reason = judge(req);
    if (reason === undefined) return ALLOW;
    const requestId = req.security?.requestId;
    const by: RefusalGuard = 'resourceIsolation';
    events.emit({
      type: 'headers.refused',
      guard: by,
      reason,
      ...(requestId === undefined ? {} : { requestId }),
      ...(dryRun ? { dryRun } : {}),
    });
    if (dryRun) return ALLOW;
    throw errors.E_RESOURCE_ISOLATED({ details: { reason, kind } });
  });
}

function field(req: SecurityRequest, name: string): string | undefined {
  // Node joins a repeated field with a comma, which no value of the table contains.
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
