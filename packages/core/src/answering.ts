import type { NextFunction } from './http.js';

const WATCH = Symbol.for('portcullis.answering');

interface Watch {
  depth: number;
}

/**
 * Tells, from now on, whether a middleware made by `guard()` is at work on this response: what is sent while it is, is its own
 * answer (a redirect, a preflight, a sign-in) and not a handler's. For packages that judge what leaves.
 */
export function watchStages(res: object): () => boolean {
  const watched = res as { [WATCH]?: Watch };
  const watch = (watched[WATCH] ??= { depth: 0 });
  return () => watch.depth > 0;
}

/** For `guard()`: notes that it is at work until it hands on. Costs nothing where nobody watches. */
export function whileAtWork(res: object, next: NextFunction): NextFunction {
  const watch = (res as { [WATCH]?: Watch })[WATCH];
  if (watch === undefined) return next;
  watch.depth++;
  return (error) => {
    watch.depth--;
    next(error);
  };
}
