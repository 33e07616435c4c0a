import {
  ensureContext,
  type Events,
  type NextFunction,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { Verdict } from '../part.js';
import type { Finding } from '../problem.js';
import type { JudgeOf, ResponseJudge } from './read-responses.js';

export type Watch = (req: SecurityRequest, res: SecurityResponse, next: NextFunction) => void;

/** Larger answers than this cannot be judged, because they have to be held until they end. */
const MAX_BYTES = 16 * 1024 * 1024;
const WITHOUT_BODY = new Set([204, 205, 304]);
const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json *(?:;|$)/i;

/** They describe, and some reveal, what does not leave. */
const ABOUT_THE_BODY = [
  'Content-Type',
  'Content-Length',
  'Content-Encoding',
  'Content-Disposition',
  'ETag',
  'Last-Modified',
];

type End = (...args: unknown[]) => SecurityResponse;

/**
 * Holds what the handler writes until it ends the answer, and lets it out if it has the form that is listed for its
 * status. Whatever way it was written (`json`, `send`, `end`, a stream), the bytes are what is judged. What does not
 * fit never leaves: the error handler answers instead.
 */
export function createWatch(judgeOf: JudgeOf, mode: 'refuse' | 'filter', events: Events): Watch {
  return (req, res, next) => {
    const original = { write: res.write, end: res.end };
    const chunks: Buffer[] = [];
    let bytes = 0;

    const restore = () => Object.assign(res, original);
    const send = (body: Buffer, whenDone: unknown) => {
      restore();
      const done = typeof whenDone === 'function' ? [whenDone] : [];
      (res.end as End)(...(body.length > 0 ? [body] : []), ...done);
    };
    const refuse = (findings: readonly Finding[]) => {
      restore();
      const { requestId } = ensureContext(req);
      const at = findings.map(({ pointer }) => pointer).slice(0, 10);
      const keywords = [...new Set(findings.map(({ keyword }) => keyword))].slice(0, 10);
      if (!res.headersSent) for (const name of ABOUT_THE_BODY) res.removeHeader(name);
      events.emit({ type: 'validation.response-refused', requestId, status: res.statusCode, at, keywords });
      next(errors.E_RESPONSE({ details: { status: res.statusCode, errors: findings } }));
    };
    const filtered = (removed: number) => {
      const { requestId } = ensureContext(req);
      events.emit({ type: 'validation.response-filtered', requestId, status: res.statusCode, removed });
    };

    res.write = ((chunk: unknown, encoding?: unknown, done?: unknown) => {
      hold(chunk, encoding);
      const whenDone = typeof encoding === 'function' ? encoding : done;
      if (typeof whenDone === 'function') process.nextTick(whenDone);
      return true;
    }) as typeof res.write;

    res.end = ((...args: unknown[]) => {
      const whenDone = args.find((arg) => typeof arg === 'function');
      const [chunk, encoding] = args.filter((arg) => arg !== whenDone);
      if (chunk !== undefined && chunk !== null) hold(chunk, encoding);
      const body = Buffer.concat(bytes > MAX_BYTES ? [] : chunks);
      const judge = judgeOf(res.statusCode);
      if (judge === undefined || WITHOUT_BODY.has(res.statusCode) || req.method === 'HEAD') {
        send(body, whenDone);
        return res;
      }
      const read =
        bytes > MAX_BYTES ? problem('size', 'is too large to be judged') : readJson(res, judge, body);
      if ('keyword' in read) refuse([read]);
      else letOut(read.judge, read.value, body, whenDone);
      return res;
    }) as typeof res.end;

    function hold(chunk: unknown, encoding: unknown): void {
      const buffer =
        typeof chunk === 'string'
          ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
          : Buffer.from(chunk as Uint8Array);
      bytes += buffer.length;
      if (bytes <= MAX_BYTES) chunks.push(buffer);
    }

    function letOut(judge: ResponseJudge, given: unknown, body: Buffer, whenDone: unknown): void {
      const { value, removed } = mode === 'filter' ? judge.filter(given) : { value: given, removed: 0 };
      const conclude = (verdict: Verdict) => {
        if (!verdict.valid) return refuse(verdict.findings);
        if (removed > 0) filtered(removed);
        const remade = judge.remakes || removed > 0;
        if (remade && res.headersSent) return refuse([problem('headers', 'were sent before the body')]);
        send(remade ? remake(res, judge.remakes ? verdict.value : value) : body, whenDone);
      };
      let verdict: Verdict | Promise<Verdict>;
      try {
        verdict = judge.judge(value);
      } catch (error) {
        verdict = Promise.reject(error);
      }
      if ('valid' in verdict) conclude(verdict);
      else verdict.then(conclude).catch(() => refuse([problem('schema', 'could not be judged')]));
    }
  };
}

function readJson(
  res: SecurityResponse,
  judge: ResponseJudge | 'unlisted',
  body: Buffer,
): Finding | { readonly judge: ResponseJudge; readonly value: unknown } {
  if (judge === 'unlisted') return problem('status', 'is a status that is not listed');
  if (!JSON_TYPE.test(String(res.getHeader('Content-Type') ?? '')) || res.hasHeader('Content-Encoding')) {
    return problem('contentType', 'is no JSON');
  }
  try {
    return { judge, value: JSON.parse(body.toString('utf8')) as unknown };
  } catch {
    return problem('json', 'is no JSON');
  }
}

function problem(keyword: string, message: string): Finding {
  return { pointer: '', keyword, message };
}

/** Another text than what was measured before. */
function remake(res: SecurityResponse, value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  if (!res.headersSent) {
    if (res.hasHeader('Content-Length')) res.setHeader('Content-Length', body.length);
    res.removeHeader('ETag');
  }
  return body;
}
