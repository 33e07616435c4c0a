import { isUtf8 } from 'node:buffer';
import { noEvents, option, readOptions, type Events, type Middleware } from '@portcullis/core';
import { bodyReader, codings, otherTypes } from '../body/body-reader.js';
import type { Coding } from '../body/read-bytes.js';
import { size, type Size } from '../body/size.js';
import { fieldLimits, fieldsReader, withoutFault, type FieldOptions } from './parse-fields.js';
import { refuseField } from './split-fields.js';

export interface StrictFormOptions extends FieldOptions {
  /** Largest body, as sent and as unpacked: bytes or `'20kb'`, up to 64 MiB. @default '20kb' */
  readonly limit?: Size;
  /** Content codings that are unpacked, from gzip, deflate and br, one at a time. @default [] */
  readonly codings?: readonly Coding[];
  /** What happens to a body of another type: 415, or left to the next reader. @default 'refuse' */
  readonly otherTypes?: 'refuse' | 'pass';
  readonly events?: Events;
}

/**
 * Stands in for `express.urlencoded()`: reads a form (`application/x-www-form-urlencoded`, UTF-8) into `req.body`, text by
 * name, by the rules of {@link strictQuery}.
 * @throws OptionError; per request E_TEXT_FIELDS and E_BODY_INCOMPLETE (400), E_BODY_TOO_LARGE (413), E_MEDIA_TYPE and
 *   E_BODY_CODING (415)
 */
export function strictForm(options: StrictFormOptions = {}): Middleware {
  const settings = readOptions('strictForm', options, {
    ...fieldLimits,
    limit: size('20kb'),
    codings,
    otherTypes,
    events: option.port<Events>(['emit'], noEvents),
  });
  const read = fieldsReader('body', settings);
  const types = ['application/x-www-form-urlencoded'];
  return bodyReader('strictForm', { ...settings, types }, (bytes) => {
    if (!isUtf8(bytes))
      withoutFault('body', () => refuseField([], 'encoding', 'must be percent-encoded UTF-8'));
    return read(bytes.toString('utf8'));
  });
}
