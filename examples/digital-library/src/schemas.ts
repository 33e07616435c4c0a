/** What comes in and what the API answers, by form. JSON bodies are read as they are, forms and addresses by declared type. */

import { allKeyScopes, type KeyScope } from './key-scopes.js';
import { notices, type Notice } from './notices.js';

const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength }) as const;

export const bookSchema = {
  type: 'object',
  properties: {
    isbn13: { type: 'string', format: 'isbn13' },
    title: text(300),
    authors: text(1000),
    year: { type: 'integer', minimum: -3000, maximum: 2100 },
    copies: { type: 'integer', minimum: 0, maximum: 1000 },
  },
  required: ['isbn13', 'title', 'authors', 'copies'],
} as const;

/** Letters, digits and the punctuation of titles; what else there is in a query is refused, not searched for. */
export const searchSchema = {
  type: 'object',
  properties: {
    q: { type: 'string', maxLength: 100, pattern: "^[\\p{L}\\p{M}\\p{N} .,:!?&'’-]*$", default: '' },
    page: { type: 'integer', minimum: 1, maximum: 10_000, default: 1 },
    done: {
      type: 'string',
      enum: Object.keys(notices) as Notice[],
    },
  },
} as const;

export const noticeSchema = {
  type: 'object',
  properties: { done: searchSchema.properties.done },
} as const;

/** Where to go after signing in; judged by createRedirects(), not here. */
const next = { type: 'string', maxLength: 2048 } as const;

export const signInSchema = {
  type: 'object',
  properties: { done: searchSchema.properties.done, next },
} as const;

export const bookIdSchema = {
  type: 'object',
  properties: { id: { type: 'string', pattern: '^[1-9][0-9]{0,17}$', maxLength: 18 } },
  required: ['id'],
} as const;

export const uuidSchema = {
  type: 'object',
  properties: { id: { type: 'string', format: 'uuid' } },
  required: ['id'],
} as const;

export const roleSchema = {
  type: 'object',
  properties: { role: { type: 'string', enum: ['staff', 'patron'] } },
  required: ['role'],
} as const;

export const accountSchema = {
  type: 'object',
  properties: {
    email: { type: 'string', minLength: 3, maxLength: 254 },
    // Passwords may hold anything; the policy of @portcullis/auth judges them.
    password: { type: 'string', format: 'raw', minLength: 1, maxLength: 1024 },
    next,
  },
  required: ['email', 'password'],
} as const;

const token = text(128);
/** Of an authenticator app, or a recovery code. */
const code = text(64);
const { password } = accountSchema.properties;

/** The second step of signing in. */
export const challengeSchema = {
  type: 'object',
  properties: { challenge: token, code, next },
  required: ['challenge', 'code'],
} as const;

/** Who is signed in shows again who they are. */
export const confirmationSchema = {
  type: 'object',
  properties: { password, code },
  required: ['password', 'code'],
} as const;

export const passwordSchema = {
  type: 'object',
  properties: { password },
  required: ['password'],
} as const;

/** Another e-mail address, asked for by somebody who is signed in. */
export const emailChangeSchema = {
  type: 'object',
  properties: { email: accountSchema.properties.email, password },
  required: ['email', 'password'],
} as const;

export const mailboxSchema = {
  type: 'object',
  properties: { email: accountSchema.properties.email },
  required: ['email'],
} as const;

/** Of a link in a message. */
export const linkSchema = {
  type: 'object',
  properties: { token },
  required: ['token'],
} as const;

export const newPasswordSchema = {
  type: 'object',
  properties: { token, password },
  required: ['token', 'password'],
} as const;

export const totpSchema = {
  type: 'object',
  properties: { token, code },
  required: ['token', 'code'],
} as const;

export const keyLifetimes = ['7d', '30d', '90d', '365d'] as const;
const tick = { type: 'string', enum: ['yes'] } as const;
const ticks = Object.fromEntries(allKeyScopes.map((scope) => [scope, tick])) as Record<KeyScope, typeof tick>;

export const newKeySchema = {
  type: 'object',
  properties: {
    name: text(100),
    expires: { type: 'string', enum: keyLifetimes },
    ...ticks,
  },
  required: ['name', 'expires'],
} as const;

export const loanSchema = {
  type: 'object',
  properties: { bookId: bookIdSchema.properties.id },
  required: ['bookId'],
} as const;

export const auditSchema = {
  type: 'object',
  properties: {
    action: { type: 'string', maxLength: 80, pattern: '^[a-z0-9.*-]*$' },
    cursor: { type: 'string', maxLength: 200, pattern: '^[A-Za-z0-9_=.:-]*$' },
  },
} as const;

/** Day in the calendar, and where to go on in a list. */
export const historySchema = {
  type: 'object',
  properties: {
    on: { type: 'string', format: 'date' },
    cursor: auditSchema.properties.cursor,
  },
} as const;

const policy = { type: 'string', enum: ['roles', 'refused'] } as const;

export const reviewQuerySchema = {
  type: 'object',
  properties: { policy, done: searchSchema.properties.done },
} as const;

/** Ids with commas between: a page of the queue is signed off together. */
export const signOffSchema = {
  type: 'object',
  properties: {
    policy,
    entries: { type: 'string', maxLength: 1000, pattern: '^[0-9a-f-]{36}(,[0-9a-f-]{36})*$' },
    reason: text(1000),
    finding: { type: 'string', enum: ['no', 'yes'] },
  },
  required: ['policy', 'entries', 'reason', 'finding'],
} as const;

/** What a reviewer says about one grant. */
export const accessDecisionSchema = {
  type: 'object',
  properties: {
    item: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    disposition: { type: 'string', enum: ['keep', 'revoke'] },
    reason: text(1000),
  },
  required: ['item', 'disposition', 'reason'],
} as const;

export const emergencySchema = {
  type: 'object',
  properties: { reason: text(1000), minutes: { type: 'integer', enum: [15, 30, 60] } },
  required: ['reason', 'minutes'],
} as const;

export const completionSchema = {
  type: 'object',
  properties: { policy, reason: text(1000), through: { type: 'string', format: 'date-time' } },
  required: ['policy', 'reason', 'through'],
} as const;

/** What the API answers; a member that is not listed here never leaves, whatever a query has selected. */
const time = { type: 'string', format: 'date-time' } as const;
const id = { type: 'string' } as const;

export const bookAnswer = {
  title: 'Book',
  type: 'object',
  properties: {
    id,
    isbn13: { type: 'string', format: 'isbn13' },
    title: { type: 'string' },
    authors: { type: 'string' },
    year: { type: ['integer', 'null'] },
    copies: { type: 'integer', minimum: 0 },
    available: { type: 'integer', minimum: 0 },
  },
  required: ['id', 'isbn13', 'title', 'authors', 'year', 'copies', 'available'],
} as const;

export const bookPageAnswer = {
  title: 'BookPage',
  type: 'object',
  properties: {
    books: { type: 'array', items: bookAnswer, maxItems: 20 },
    total: { type: 'integer', minimum: 0 },
    number: { type: 'integer', minimum: 1 },
    pages: { type: 'integer', minimum: 1 },
  },
  required: ['books', 'total', 'number', 'pages'],
} as const;

export const loanAnswer = {
  title: 'Loan',
  type: 'object',
  properties: {
    id,
    bookId: id,
    title: { type: 'string' },
    patronId: { type: 'string' },
    borrowedAt: time,
    dueAt: time,
    returnedAt: { anyOf: [time, { type: 'null' }] },
  },
  required: ['id', 'bookId', 'title', 'patronId', 'borrowedAt', 'dueAt', 'returnedAt'],
} as const;

export const loansAnswer = {
  title: 'Loans',
  type: 'object',
  properties: { loans: { type: 'array', items: loanAnswer, maxItems: 500 } },
  required: ['loans'],
} as const;

/** Whose a loan is may be left out. */
export const bookLoansAnswer = {
  title: 'BookLoans',
  type: 'object',
  properties: {
    loans: {
      type: 'array',
      items: {
        ...loanAnswer,
        title: 'SeenLoan',
        required: loanAnswer.required.filter((name) => name !== 'patronId'),
      },
      maxItems: 200,
    },
  },
  required: ['loans'],
} as const;

/** Entries are open: what an action says about itself is its own. */
export const auditAnswer = {
  title: 'AuditPage',
  type: 'object',
  properties: {
    entries: {
      type: 'array',
      items: {
        type: 'object',
        properties: { id, time, kind: { type: 'string' }, action: { type: 'string' } },
        required: ['id', 'time', 'kind', 'action'],
        additionalProperties: true,
      },
      maxItems: 500,
    },
    next: { type: 'string' },
  },
  required: ['entries'],
} as const;
