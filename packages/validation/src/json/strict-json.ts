import { noEvents, option, readOptions, type Events, type Middleware } from '@portcullis/core';
import { bodyReader, codings, mediaType, otherTypes } from '../body/body-reader.js';
import type { Coding } from '../body/read-bytes.js';
import { size, type Size } from '../body/size.js';
import { errors } from '../error-codes.js';
import { jsonLimits, readJson, type JsonOptions } from './parse-json.js';

export interface StrictJsonOptions extends JsonOptions {
  /** Largest body, as sent and as unpacked: bytes or `'100kb'`, up to 64 MiB. @default '100kb' */
  readonly limit?: Size;
  /** Media types that are JSON, lower-case, without parameters. @default ['application/json'] */
  readonly types?: readonly string[];
  /** Content codings that are unpacked, from gzip, deflate and br, one at a time. @default [] */
  readonly codings?: readonly Coding[];
  /** What happens to a body of another type: 415, or left to the next reader. @default 'refuse' */
  readonly otherTypes?: 'refuse' | 'pass';
  /** Accept a text, number, true, false or null as the whole document. @default false */
  readonly scalars?: boolean;
  readonly events?: Events;
}

/**
 * Stands in for `express.json()`: reads a JSON body that has one reading only into `req.body`, and refuses every other.
 * See {@link parseJson} for what is refused; besides, charsets but UTF-8, doubled or unreadable `Content-Type`, and
 * content codings that were not asked for, whose output is bounded by `limit` while it is unpacked.
 * A request without a body passes and has no `req.body`. Slow senders are the server's to cut.
 * @throws OptionError; per request E_JSON and E_BODY_INCOMPLETE (400), E_BODY_TOO_LARGE (413), E_MEDIA_TYPE and
 *   E_BODY_CODING (415)
 * @see RFC 8259, RFC 7493; OWASP ASVS 5.0 V1.5.2, V1.5.3
 */
export function strictJson(options: StrictJsonOptions = {}): Middleware {
  const settings = readOptions('strictJson', options, {
    ...jsonLimits,
    limit: size('100kb'),
    types: option.array(mediaType, { min: 1, max: 20, default: ['application/json'] }),
    codings,
    otherTypes,
    scalars: option.boolean(false),
    events: option.port<Events>(['emit'], noEvents),
  });
  return bodyReader('strictJson', settings, (bytes) => {
    const value = readJson(bytes, settings);
    if (settings.scalars || (typeof value === 'object' && value !== null)) return value;
    throw errors.E_JSON({
      problem: {
        errors: [{ in: 'body', pointer: '', keyword: 'type', message: 'must be an object or an array' }],
      },
    });
  });
}
