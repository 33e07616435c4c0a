/** JSON Schemas (2020-12) of refusals as they leave the service, for OpenAPI documents. */

/** A problem document (RFC 9457). */
export const problemSchema = Object.freeze({
  type: 'object',
  description: 'A refusal (RFC 9457).',
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string' },
    instance: { type: 'string', format: 'uri-reference' },
    code: { type: 'string', description: 'Stable, for programs.' },
    requestId: { type: 'string' },
  },
  required: ['type', 'title', 'status'],
});

/** One of its `errors`: an `InputProblem`. */
export const inputProblemSchema = Object.freeze({
  type: 'object',
  properties: {
    in: { enum: ['body', 'query', 'params', 'headers', 'cookies'] },
    pointer: { type: 'string', description: 'A JSON Pointer (RFC 6901).' },
    keyword: { type: 'string' },
    message: { type: 'string' },
  },
  required: ['pointer', 'keyword', 'message'],
});

/** The header that comes with 429 and 503. */
export const retryAfterHeader = Object.freeze({
  description: 'Seconds to wait.',
  schema: { type: 'integer', minimum: 0 },
});
