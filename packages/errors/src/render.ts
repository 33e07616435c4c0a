import { errorPage } from './error-page.js';
import { fieldErrors } from './field-errors.js';
import type { ErrorFormat } from './negotiate.js';
import type { Problem } from './problem.js';

/** Problem document (RFC 9457), or the compact `{ error: { code: 403, message } }` with the numeric status. */
export type ErrorShape = 'problem' | 'compact';

/** A {@link Problem} with what this occurrence adds: the request it belongs to. */
export interface ProblemOccurrence extends Problem {
  /** URI of the kind of problem (RFC 9457 `type`). */
  readonly type: string;
  /** URI of this occurrence (RFC 9457 `instance`): the request id, never the address of the request. */
  readonly instance: string;
  readonly requestId: string;
}

export interface Rendered {
  readonly contentType: string;
  readonly body: string;
  /** Sent where no `Content-Security-Policy` is on the answer yet. */
  readonly contentSecurityPolicy: string;
}

export type HtmlRenderer = (problem: ProblemOccurrence) => string;

const NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function render(
  problem: ProblemOccurrence,
  format: ErrorFormat,
  options: { readonly shape: ErrorShape; readonly html?: HtmlRenderer | undefined },
): Rendered {
  if (format === 'json') return json(problem, options.shape);
  if (format === 'text') return whole('text/plain; charset=utf-8', text(problem));
  return options.html
    ? ownPage(options.html(problem))
    : whole('text/html; charset=utf-8', errorPage(problem));
}

function json(problem: ProblemOccurrence, shape: ErrorShape): Rendered {
  const compact = shape === 'compact';
  const document = compact ? compactDocument(problem) : problemDocument(problem);
  return whole(
    compact ? 'application/json; charset=utf-8' : 'application/problem+json; charset=utf-8',
    // A browser that is made to read this as HTML finds no tag in it.
    `${JSON.stringify(document).replaceAll('<', '\\u003c')}\n`,
  );
}

function problemDocument(problem: ProblemOccurrence): object {
  const { type, title, status, detail, instance, code, requestId, members } = problem;
  return {
    type,
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    instance,
    code,
    requestId,
    ...members,
  };
}

function compactDocument({ status, detail, title, members }: ProblemOccurrence): object {
  const errors = members['errors'];
  return { error: { code: status, message: detail ?? title, ...(errors === undefined ? {} : { errors }) } };
}

function whole(contentType: string, body: string): Rendered {
  return { contentType, body, contentSecurityPolicy: NOTHING };
}

// A page of the app's own may need its own styles and images, so it is not locked down further.
function ownPage(body: unknown): Rendered {
  if (typeof body !== 'string') throw new TypeError('The html renderer must return a string.');
  return {
    contentType: 'text/html; charset=utf-8',
    body,
    contentSecurityPolicy: "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
  };
}

function text(problem: ProblemOccurrence): string {
  const lines = [
    `${problem.status} ${problem.title}`,
    ...(problem.detail === undefined ? [] : [problem.detail]),
    ...fieldErrors(problem).map(({ pointer, detail }) => `- ${pointer}: ${detail}`),
    `Request ${problem.requestId}`,
  ];
  return `${lines.map(oneLine).join('\n')}\n`;
}

/** Control characters (escape sequences of terminals, line breaks) become spaces. */
function oneLine(value: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are the subject
  return value.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
