import {
  ensureContext,
  noEvents,
  option,
  OptionError,
  readOptions,
  systemRandom,
  tagStage,
  type ErrorMiddleware,
  type Events,
  type Logger,
  type OptionReader,
  type Random,
  type SecurityRequest,
  parseUrl,
} from '@portcullis/core';
import { createAftermath, type ErrorReport, type LogLevel, type Report } from './aftermath.js';
import { answer, lastResort, outcomeWithoutAnswer, type Outcome } from './answer.js';
import { defuse } from './defuse.js';
import { isDisconnect } from './disconnect.js';
import { negotiate, type ErrorFormat } from './negotiate.js';
import { problemOf, type Problem } from './problem.js';
import { render, type ErrorShape, type HtmlRenderer, type ProblemOccurrence } from './render.js';
import { silentLogger, stderrLogger } from './stderr-logger.js';

export interface ErrorHandlerOptions {
  /**
   * JSON form: the RFC 9457 problem document, or `'compact'` for `{ "error": { "code": 403, "message": "..." } }`.
   * @default 'problem'
   */
  readonly shape?: ErrorShape;
  /**
   * The forms on offer, in order of preference; the first one answers clients that accept everything or nothing of
   * it. @default ['json', 'html', 'text']
   */
  readonly formats?: readonly ErrorFormat[];
  /**
   * What a code is appended to for the `type` of a problem document, such as `https://api.example.com/problems/`.
   * @default 'urn:portcullis:error:'
   */
  readonly typeBase?: string;
  /** A page of your own. It must escape what it is given. If it throws, the built-in page answers. */
  readonly html?: HtmlRenderer;
  /**
   * Translates errors of other libraries, for instance into `new Conflict()`. What it returns takes the place of the
   * error in the answer; undefined leaves it as it is. Log and report still receive the original.
   */
  readonly map?: (error: unknown) => unknown;
  /** `WWW-Authenticate` of 401 answers whose error brings none (RFC 9110 section 15.5.2). @default none */
  readonly challenge?: string;
  /** Structural: winston, pino and console fit. `false` for none. @default JSON lines on standard error */
  readonly logger?: Logger | false;
  /**
   * Takes secrets out of what the logger gets (path, message, stack, details, causes, in one record) and returns a copy:
   * `createRedactor().redact` of `@portcullis/redact` fits. If it throws or returns no object, the record says so and
   * shows nothing of the error. Neither the answer nor `report` passes it. @default none
   */
  readonly redact?: (value: unknown) => unknown;
  /** Level of each log record. @default 'error' for what `reportIf` reports by default and for cut answers, else 'silent' */
  readonly logLevel?: (error: unknown, info: ErrorReport) => LogLevel;
  /** Receives errors for a tracker: `report: Sentry.captureException` fits. Its faults never change the answer. */
  readonly report?: Report;
  /** Which errors are reported. @default 5xx, unless the client had gone and that is all that happened */
  readonly reportIf?: (error: unknown, info: ErrorReport) => boolean;
  readonly events?: Events;
  readonly random?: Random;
}

/**
 * Last in the way of a request: turns anything that was thrown into one honest answer. The messages of server errors,
 * their stacks and details never leave the process, whatever `NODE_ENV` says; {@link problemOf} says what a client may
 * see. Removes the headers of the answer that does not come, keeps security headers, and never calls `next`: Express's
 * own handler would print the stack. If an answer is already on its way the connection is cut.
 * @throws OptionError
 * @see RFC 9457; OWASP ASVS 5.0 V16.5
 */
export function errorHandler(options: ErrorHandlerOptions = {}): ErrorMiddleware {
  const config = readOptions('errorHandler', options, {
    shape: option.oneOf<ErrorShape>(['problem', 'compact'], 'problem'),
    formats: option.array<ErrorFormat>(option.oneOf<ErrorFormat>(['json', 'html', 'text']), {
      min: 1,
      max: 3,
      default: ['json', 'html', 'text'],
    }),
    typeBase: typeBaseOption,
    html: option.optional(option.fn<HtmlRenderer>()),
    map: option.optional(option.fn<(error: unknown) => unknown>()),
    challenge: option.optional(option.string({ max: 1_000, pattern: /^[\t\x20-\x7e]+$/ })),
    logger: option.orFalse(option.port<Logger>(['error', 'warn', 'info'], stderrLogger)),
    redact: option.optional(option.fn<(value: unknown) => unknown>()),
    logLevel: option.fn<(error: unknown, info: ErrorReport) => LogLevel>(defaultLevel),
    report: option.optional(option.fn<Report>()),
    reportIf: option.fn<(error: unknown, info: ErrorReport) => boolean>(isUnexpected),
    events: option.port<Events>(['emit'], noEvents),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
  });
  const aftermath = createAftermath({ ...config, logger: config.logger || silentLogger });

  function translated(error: unknown): Problem {
    if (!config.map) return problemOf(error);
    try {
      return problemOf(config.map(error) ?? error);
    } catch (fault) {
      aftermath.hookFailed('map', fault);
      return problemOf(error);
    }
  }

  function rendered(problem: ProblemOccurrence, format: ErrorFormat): ReturnType<typeof render> {
    if (format !== 'html' || !config.html) return render(problem, format, { shape: config.shape });
    try {
      return render(problem, format, config);
    } catch (fault) {
      aftermath.hookFailed('html', fault);
      return render(problem, format, { shape: config.shape });
    }
  }

  const handler: ErrorMiddleware = (error, req, res, _next) => {
    let problem: Problem = problemOf(undefined);
    let requestId = '';
    let outcome: Outcome | undefined;
    try {
      defuse(error);
      requestId = requestIdOf(req, config.random);
      problem = translated(error);
      outcome = outcomeWithoutAnswer(req, res);
      if (outcome === 'truncated') res.destroy();
      if (outcome === undefined) {
        if (!res.hasHeader('X-Request-Id')) res.setHeader('X-Request-Id', requestId);
        const format = negotiate(req.headers.accept, config.formats);
        const occurrence = { ...problem, ...identify(problem, requestId, config.typeBase) };
        answer(
          req,
          res,
          problem.status,
          withChallenge(problem, config.challenge),
          rendered(occurrence, format),
        );
        outcome = 'answered';
      }
    } catch {
      outcome = lastResort(req, res);
    }
    aftermath.tell(error, {
      requestId,
      status: problem.status,
      code: problem.code,
      outcome,
      method: req.method ?? '',
      path: pathOf(req),
    });
  };
  // Express tells error middleware by its four parameters.
  return tagStage(handler, { kind: 'errors', name: 'errorHandler', detail: config.shape });
}

function isUnexpected(error: unknown, { status, outcome }: ErrorReport): boolean {
  return status >= 500 && !(outcome === 'aborted' && isDisconnect(error));
}

function defaultLevel(error: unknown, info: ErrorReport): LogLevel {
  return isUnexpected(error, info) || info.outcome === 'truncated' ? 'error' : 'silent';
}

const ID = /^[A-Za-z0-9._-]{1,128}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function requestIdOf(req: SecurityRequest, random: Random): string {
  try {
    const { requestId } = ensureContext(req, { random });
    if (ID.test(requestId)) return requestId;
  } catch {
    // Something else put its own `security` on the request.
  }
  return random.uuid();
}

function identify(
  problem: Problem,
  requestId: string,
  typeBase: string,
): Pick<ProblemOccurrence, 'type' | 'instance' | 'requestId'> {
  return {
    type: `${typeBase}${problem.code}`,
    instance: UUID.test(requestId) ? `urn:uuid:${requestId}` : `urn:portcullis:request:${requestId}`,
    requestId,
  };
}

function withChallenge(problem: Problem, challenge: string | undefined): Problem['headers'] {
  if (problem.status !== 401 || challenge === undefined) return problem.headers;
  const brought = Object.keys(problem.headers).some((name) => name.toLowerCase() === 'www-authenticate');
  return brought ? problem.headers : { ...problem.headers, 'WWW-Authenticate': challenge };
}

function pathOf(req: SecurityRequest): string {
  return (req.originalUrl ?? req.url ?? '').split('?', 1)[0]!.slice(0, 512);
}

const typeBaseOption: OptionReader<string> = (value, owner, path) => {
  if (value === undefined) return 'urn:portcullis:error:';
  const base = option.string({ max: 500 })(value, owner, path);
  // An absolute URI or a path: a relative one would change its meaning with every address (RFC 9457 section 3.1.1).
  if (base.startsWith('/') || parseUrl(base)) return base;
  throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be an absolute URI or begin with "/"`);
};
