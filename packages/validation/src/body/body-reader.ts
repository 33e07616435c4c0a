import {
  ALLOW,
  guard,
  option,
  type Events,
  type Middleware,
  type OptionReader,
  type SecurityRequest,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { hasBody, utf8MediaType } from './content-type.js';
import { readBytes, type Coding } from './read-bytes.js';

export interface BodyReaderSettings {
  readonly limit: number;
  readonly types: readonly string[];
  readonly codings: readonly Coding[];
  readonly otherTypes: 'refuse' | 'pass';
  readonly events: Events;
}

export const mediaType: OptionReader<string> = option.string({
  max: 100,
  pattern: /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/,
});
export const codings = option.array(option.oneOf<Coding>(['gzip', 'deflate', 'br']), { max: 3, default: [] });
export const otherTypes = option.oneOf(['refuse', 'pass'] as const, 'refuse');

/** What body-parser 1 leaves behind, so that a lax parser behind ours finds nothing left to do. */
type ParsedRequest = SecurityRequest & { _body?: boolean };

/**
 * The way of every body: by media type, charset and content coding, bounded, then through `parse`. A request without a body
 * passes and keeps `req.body` undefined; one that was read before passes as it is.
 */
export function bodyReader(
  name: string,
  settings: BodyReaderSettings,
  parse: (bytes: Buffer) => unknown,
): Middleware {
  const { limit, codings: accepted, otherTypes: others, events } = settings;
  const types = new Set(settings.types);
  const detail = `${settings.types.join(' ')} ${limit}`;

  return guard(name, { stage: 'body', detail, events }, (req: ParsedRequest, _res, done) => {
    if (!hasBody(req) || req._body === true) return done(null, ALLOW);
    const type = utf8MediaType(req);
    if (type === undefined || !types.has(type)) {
      if (others === 'pass' && !namesOneOf(req, types)) return done(null, ALLOW);
      return done(errors.E_MEDIA_TYPE({ headers: { Accept: [...types].join(', ') } }));
    }
    readBytes(req, limit, accepted, (error, bytes) => {
      if (bytes === undefined) return done(error);
      try {
        req.body = parse(bytes);
        req._body = true;
      } catch (fault) {
        return done(fault);
      }
      done(null, ALLOW);
    });
  });
}

/** A header that could be taken for one of ours, but is not exactly that, is not passed on to a more forgiving reader. */
function namesOneOf(req: SecurityRequest, types: ReadonlySet<string>): boolean {
  const given = (req.headers['content-type'] ?? '').toLowerCase();
  return [...types].some((type) => given.includes(type));
}
