import { isError, stageOf, tagStage } from '@portcullis/core';
import { errors } from './error-codes.js';

/**
 * Lets Express 4 see the rejections of async handlers, as Express 5 does by itself; harmless there. On both it turns
 * what is thrown but is no error (`undefined`, `null`, `''`, `'route'`: Express would take those for "go on") into a
 * real one, `E_THROWN_VALUE`. For handlers, middleware and error middleware (four parameters); keeps name and stage.
 * `next('route')` and `next()` keep their meaning: they are calls, not throws.
 */
export function catchAsync<Args extends readonly unknown[]>(
  handler: (...args: Args) => unknown,
): (...args: Args) => void {
  function run(args: Args): void {
    const next = args.at(-1) as (error: unknown) => void;
    const fail = (thrown: unknown): void => next(asError(thrown));
    try {
      const result = handler(...args);
      if (isThenable(result)) Promise.resolve(result).catch(fail);
    } catch (error) {
      fail(error);
    }
  }
  // Express tells error middleware by its four parameters.
  const wrapped =
    handler.length === 4
      ? (error: unknown, req: unknown, res: unknown, next: unknown) =>
          run([error, req, res, next] as unknown as Args)
      : (req: unknown, res: unknown, next: unknown) => run([req, res, next] as unknown as Args);
  const stage = stageOf(handler);
  if (stage) tagStage(wrapped, stage);
  else Object.defineProperty(wrapped, 'name', { value: handler.name, configurable: true });
  return wrapped as unknown as (...args: Args) => void;
}

function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : errors.E_THROWN_VALUE({ details: { thrown } });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
