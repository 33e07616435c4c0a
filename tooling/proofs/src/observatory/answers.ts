import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Certificate } from './certificate.js';

/** A class of answers, and how to get one. */
export interface AnswerClass {
  readonly name: string;
  readonly path: string;
  readonly status: number;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Asked over plain http. */
  readonly plain?: boolean;
  /** The connection ends in the middle of the answer. */
  readonly cut?: boolean;
}

export const answerClasses: readonly AnswerClass[] = [
  { name: '200, page', path: '/', status: 200 },
  { name: '200, HEAD', path: '/', method: 'HEAD', status: 200 },
  { name: '200, JSON', path: '/data', status: 200 },
  { name: '200, file', path: '/files/app.js', status: 200 },
  { name: '201', path: '/json', method: 'POST', body: '{}', status: 201 },
  { name: '204', path: '/nothing', status: 204 },
  { name: '206, part of a file', path: '/files/app.js', headers: { range: 'bytes=0-3' }, status: 206 },
  { name: '301, folder of files', path: '/files/folder', status: 301 },
  { name: '302, res.redirect', path: '/moved', status: 302 },
  { name: '304', path: '/files/app.js', headers: { 'if-none-match': '*' }, status: 304 },
  { name: '308, plain http', path: '/', plain: true, headers: { accept: 'text/html' }, status: 308 },
  { name: '400, malformed JSON', path: '/json', method: 'POST', body: '{"a":', status: 400 },
  { name: '400, path trick', path: '/files/..%2fapp.js', status: 400 },
  { name: '403, res.status', path: '/refused', status: 403 },
  { name: '403, plain http', path: '/', plain: true, method: 'POST', status: 403 },
  { name: '404, unknown route', path: '/no-such-route', status: 404 },
  { name: '404, page for people', path: '/no-such-route', headers: { accept: 'text/html' }, status: 404 },
  { name: '404, thrown problem', path: '/problem', status: 404 },
  { name: '404, hidden file', path: '/.git/config', status: 404 },
  { name: '405, method of no route', path: '/data', method: 'PUT', status: 405 },
  { name: '413', path: '/json', method: 'POST', body: `{"a":"${'a'.repeat(2000)}"}`, status: 413 },
  { name: '416', path: '/files/app.js', headers: { range: 'bytes=9000-' }, status: 416 },
  { name: '421, foreign host', path: '/', headers: { host: 'elsewhere.example' }, status: 421 },
  { name: '500, thrown error', path: '/thrown', status: 500 },
  { name: '500, guard throws undefined', path: '/guarded', status: 500 },
  { name: '503, res.status', path: '/unavailable', status: 503 },
  { name: '200, cut in the middle', path: '/cut', status: 200, cut: true },
];

/** What every answer must say, by header; a function where the answer's class matters. */
const EXPECTED: Readonly<Record<string, (value: string) => boolean>> = {
  // The page's own, or the stricter one of an error page: nothing runs without a nonce, nobody frames, no foreign base.
  'content-security-policy': (value) =>
    /default-src 'none'/.test(value) &&
    /base-uri 'none'/.test(value) &&
    /form-action '(none|self)'/.test(value) &&
    /frame-ancestors 'none'/.test(value) &&
    !/script-src [^;]*'unsafe-/.test(value),
  'cross-origin-embedder-policy': (value) => value.startsWith('require-corp'),
  'cross-origin-opener-policy': (value) => value.startsWith('same-origin'),
  'cross-origin-resource-policy': (value) => value === 'same-origin',
  'origin-agent-cluster': (value) => value === '?1',
  'permissions-policy': (value) => /camera=\(\)/.test(value) && /geolocation=\(\)/.test(value),
  'referrer-policy': (value) => value === 'strict-origin-when-cross-origin',
  'reporting-endpoints': (value) => value === 'default="/reports"',
  'x-content-type-options': (value) => value === 'nosniff',
  'x-dns-prefetch-control': (value) => value === 'off',
  'x-frame-options': (value) => value === 'DENY',
  'x-permitted-cross-domain-policies': (value) => value === 'none',
};
const TLS_ONLY: typeof EXPECTED = {
  'strict-transport-security': (value) => value === 'max-age=63072000; includeSubDomains',
};
const FORBIDDEN = ['x-powered-by', 'server'];

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly cut: boolean;
}

/** What is missing from the set in this answer; nothing if it is whole. */
export function missingFrom({ headers }: Answer, { plain = false }: AnswerClass): readonly string[] {
  const wanted = { ...EXPECTED, ...(plain ? {} : TLS_ONLY) };
  return [
    ...Object.entries(wanted)
      .filter(([name, fits]) => !fits(String(headers[name] ?? '')))
      .map(([name]) => `${name}: ${String(headers[name] ?? 'absent')}`),
    ...FORBIDDEN.filter((name) => headers[name] !== undefined).map((name) => `${name} is sent`),
    // RFC 6797 section 7.2: not over plain http, where anybody on the way could say it.
    ...(plain && headers['strict-transport-security'] !== undefined
      ? ['strict-transport-security over http']
      : []),
  ];
}

export function ask(host: string, { cert }: Certificate, asked: AnswerClass): Promise<Answer> {
  const { path, method = 'GET', headers = {}, body, plain = false } = asked;
  const port = Number(host.split(':')[1]);
  return new Promise((resolve, reject) => {
    const options = {
      host: 'localhost',
      servername: 'localhost',
      port,
      path,
      method,
      agent: false,
      headers: {
        host,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
        ...headers,
      },
    } as const;
    const sent = (plain ? httpRequest : httpsRequest)({ ...options, ca: cert }, (res) => {
      const done = (cut: boolean): void => resolve({ status: res.statusCode!, headers: res.headers, cut });
      res.resume();
      res.once('end', () => done(false));
      res.once('error', () => done(true));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
