/** Every keyword, every format: what is generated for them must need nothing of the process. */
export const Book = {
  type: 'object',
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[^<>]*$' },
    isbn: { type: 'string', format: 'isbn13' },
    price: { type: 'number', exclusiveMinimum: 0, multipleOf: 0.01 },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 }, maxItems: 5, uniqueItems: true },
    parts: { type: 'array', items: { $ref: '#/$defs/part' }, maxItems: 5, uniqueItems: true },
    state: { enum: ['new', 'used', { other: 1 }] },
    available: { type: 'boolean', default: true },
  },
  required: ['title', 'isbn', 'price'],
  dependentRequired: { parts: ['tags'] },
  if: { properties: { state: { const: 'used' } }, required: ['state'] },
  then: { required: ['tags'] },
  $defs: { part: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } },
} as const;

export const search = {
  query: {
    type: 'object',
    properties: {
      page: { type: 'integer', minimum: 1, default: 1 },
      tag: { type: 'array', items: { type: 'string' } },
    },
  },
} as const;
export const create = {
  body: Book,
  response: { 201: { type: 'object', properties: { title: { type: 'string' } }, required: ['title'] } },
} as const;
