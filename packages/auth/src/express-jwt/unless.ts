import {
  optionConflict,
  type SecurityRequest,
  type SecurityResponse,
  type NextFunction,
} from '@portcullis/core';

type Path =
  | string
  | RegExp
  | {
      readonly url: string | RegExp;
      readonly method?: string;
      readonly methods?: string | readonly string[];
    };

export type UnlessOptions =
  | ((req: never) => boolean | Promise<boolean>)
  | {
      readonly path?: Path | readonly Path[];
      readonly method?: string | readonly string[];
      readonly ext?: string | readonly string[];
      /** @default true */
      readonly useOriginalUrl?: boolean;
      readonly custom?: (req: never) => boolean | Promise<boolean>;
    };

/** Express's own type of middleware, with `.unless()` again. */
export interface Handler {
  (req: SecurityRequest, res: SecurityResponse, next: NextFunction): void;
  unless(options: UnlessOptions): Handler;
}

/**
 * Whether a request is let by, as express-unless decides. A pattern must begin with `^`: one that may match anywhere also lets
 * `/admin/token` by where only `/token` was meant.
 * @throws OptionError
 */
export function compileUnless(options: UnlessOptions): (req: SecurityRequest) => boolean | Promise<boolean> {
  const given = typeof options === 'function' ? { custom: options } : options;
  const { method, ext, useOriginalUrl = true, custom } = given;
  const paths = given.path === undefined ? [] : [given.path].flat();
  for (const path of paths) assertAnchored(path);
  const methods = method === undefined ? [] : [method].flat();
  const extensions = ext === undefined ? [] : [ext].flat();
  return (req) => {
    const url = (useOriginalUrl ? req.originalUrl : undefined) ?? req.url ?? '';
    const path = url.split(/[?#]/, 1)[0]!;
    const verb = req.method ?? '';
    if (
      paths.some((one) => matches(one, path, verb)) ||
      methods.includes(verb) ||
      extensions.some((one) => path.endsWith(one))
    )
      return true;
    return custom ? (custom as (one: SecurityRequest) => boolean | Promise<boolean>)(req) : false;
  };
}

function assertAnchored(path: Path): void {
  const pattern = path instanceof RegExp ? path : typeof path === 'object' ? path.url : undefined;
  if (pattern instanceof RegExp && !pattern.source.startsWith('^')) {
    optionConflict(
      'expressjwt',
      'unless.path',
      `unless.path ${String(pattern)} may match anywhere in a path. Begin it with "^", such as /^\\/public\\//`,
    );
  }
}

function matches(one: Path, path: string, verb: string): boolean {
  if (typeof one === 'string') return one === path;
  if (one instanceof RegExp) {
    // With the flags "g" or "y" a pattern remembers where it was.
    one.lastIndex = 0;
    return one.test(path);
  }
  const methods = one.method ?? one.methods;
  return matches(one.url, path, verb) && (methods === undefined || [methods].flat().includes(verb));
}
