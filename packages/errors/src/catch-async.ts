import { stageOf, tagStage } from '@portcullis/core';
import { defuse } from './defuse.js';
import { errors } from './error-codes.js';

/**
 * Lets Express 4 see the rejections of async handlers, as Express 5 does by itself; harmless there. On both it turns what
 * is thrown and would tell Express to go on (`undefined`, `null`, `0`, `''`, `'route'`, `'router'`) into a real error,
 * `E_THROWN_VALUE`. For handlers, middleware and error middleware (four parameters); keeps name and stage.
 * `next('route')` and `next()` keep their meaning: they are calls, not throws.
 */
export function catchAsync<Handler extends (...args: never[]) => unknown>(handler: Handler): Handler {
  const call = handler as unknown as (...args: unknown[]) => unknown;

  function run(args: unknown[]): unknown {
    const next = args.at(-1) as (error: unknown) => void;
    const fail = (thrown: unknown): void => next(asFailure(thrown));
    try {
      const result = call(...args);
      return isThenable(result) ? Promise.resolve(result).catch(fail) : result;
    } catch (error) {
      return fail(error);
    }
  }
  // Express tells error middleware by its four parameters.
  const wrapped =
    handler.length === 4
      ? (error: unknown, req: unknown, res: unknown, next: unknown) => run([error, req, res, next])
      : (req: unknown, res: unknown, next: unknown) => run([req, res, next]);
  const stage = stageOf(handler);
  if (stage) tagStage(wrapped, stage);
  else Object.defineProperty(wrapped, 'name', { value: handler.name, configurable: true });
  return wrapped as unknown as Handler;
}

function asFailure(thrown: unknown): unknown {
  defuse(thrown);
  const goesOn = !thrown || thrown === 'route' || thrown === 'router';
  return goesOn ? errors.E_THROWN_VALUE({ details: { thrown } }) : thrown;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
