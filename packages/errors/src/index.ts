export { errorHandler, type ErrorHandlerOptions } from './error-handler.js';
export { notFound, type NotFoundOptions } from './not-found.js';
export { catchAsync } from './catch-async.js';
export {
  BadRequest,
  Conflict,
  Forbidden,
  Gone,
  HttpProblem,
  NotFound,
  ServiceUnavailable,
  TooManyRequests,
  Unauthorized,
  UnprocessableContent,
  type HttpProblemOptions,
} from './http-problems.js';
export { defineProblem, type ProblemClass, type ProblemRow } from './define-problem.js';
export { problemOf, type Problem } from './problem.js';
export type { ErrorFormat } from './negotiate.js';
export type { ErrorShape, HtmlRenderer, ProblemOccurrence } from './render.js';
export type { HeaderValues } from './error-headers.js';
export type { Outcome } from './answer.js';
export type { ErrorReport, LogLevel, Report } from './aftermath.js';
export type { ErrorHook } from './events.js';
export {
  guardProcess,
  type Drain,
  type EndReason,
  type ProcessGuard,
  type ProcessGuardOptions,
  type ProcessReport,
} from './guard-process.js';
export { describeError, type ErrorRecord } from './describe-error.js';
export { errors as errorsErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
