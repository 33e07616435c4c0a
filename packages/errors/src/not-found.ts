import { guard, noEvents, option, readOptions, type Events, type Middleware } from '@portcullis/core';
import { methodsAt } from './allowed-methods.js';
import { errors } from './error-codes.js';

export interface NotFoundOptions {
  /**
   * Look whether the address exists for other methods: 405 with `Allow` instead of 404, and an answer to OPTIONS. One
   * more pass over the routes, for requests that found none. @default true
   */
  readonly methods?: boolean;
  readonly events?: Events;
}

/**
 * After all routes: refuses what none of them took, with 404, or with 405 and `Allow` where the address has routes for
 * other methods (RFC 9110 section 15.5.6). Routes of sub-apps mounted with `app.use('/x', otherApp)` are not seen: those
 * answer 404.
 * @throws OptionError
 */
export function notFound(options: NotFoundOptions = {}): Middleware {
  const { methods, events } = readOptions('notFound', options, {
    methods: option.boolean(true),
    events: option.port<Events>(['emit'], noEvents),
  });
  return guard('notFound', { stage: 'errors', events }, (req, res) => {
    const allowed = methods ? methodsAt(req) : [];
    if (allowed.length === 0 || allowed.includes(req.method ?? '')) throw errors.E_NOT_FOUND();
    const allow = [...new Set([...allowed, 'OPTIONS'])].sort().join(', ');
    if (req.method !== 'OPTIONS') throw errors.E_METHOD_NOT_ALLOWED({ headers: { Allow: allow } });
    res.statusCode = 204;
    res.setHeader('Allow', allow);
    res.end();
  });
}
