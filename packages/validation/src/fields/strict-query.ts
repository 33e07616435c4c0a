import {
  ALLOW,
  guard,
  noEvents,
  option,
  readOptions,
  type Events,
  type Middleware,
  type SecurityRequest,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { fieldLimits, fieldsReader, type FieldOptions } from './parse-fields.js';

export interface StrictQueryOptions extends FieldOptions {
  /** Characters of the query string as sent, 1 to 65,536. @default 4096 */
  readonly maxLength?: number;
  readonly events?: Events;
}

/**
 * Reads the query string the same way on Express 4 and 5, whatever their `query parser` is set to, and puts the result
 * in the place of `req.query`: frozen, without a prototype, text by name. A name occurs once unless it is one of `lists`.
 * Mount it before whatever reads `req.query`.
 * @throws OptionError; per request E_TEXT_FIELDS (400) with `problem.errors`
 * @see OWASP ASVS 5.0 V1.1.1, V15.3.7
 */
export function strictQuery(options: StrictQueryOptions = {}): Middleware {
  const { maxLength, events, ...settings } = readOptions('strictQuery', options, {
    ...fieldLimits,
    maxLength: option.integer({ min: 1, max: 65_536, default: 4096 }),
    events: option.port<Events>(['emit'], noEvents),
  });
  const read = fieldsReader('query', settings);

  return guard('strictQuery', { stage: 'body', detail: 'query', events }, (req: SecurityRequest) => {
    const url = req.url ?? '';
    const mark = url.indexOf('?');
    const text = mark < 0 ? '' : url.slice(mark + 1);
    if (text.length > maxLength) {
      const message = `must not have more than ${maxLength} characters`;
      throw errors.E_TEXT_FIELDS({
        problem: { errors: [{ in: 'query', pointer: '', keyword: 'maxLength', message }] },
      });
    }
    // Express 5 has a getter on the prototype that would read the text again, in its own way.
    Object.defineProperty(req, 'query', {
      value: read(text),
      enumerable: true,
      configurable: true,
      writable: true,
    });
    return ALLOW;
  });
}
