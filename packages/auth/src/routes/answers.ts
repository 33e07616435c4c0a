import type { RouteDeps } from './route.js';

/** JSON Schemas (2020-12) of what the routes answer. */

const string = { type: 'string' };
const time = { type: 'integer', description: 'Milliseconds since 1970' };
const seconds = { type: 'integer', minimum: 0, description: 'Seconds' };

function object(required: Record<string, object>, optional: Record<string, object> = {}): object {
  return { type: 'object', properties: { ...required, ...optional }, required: Object.keys(required) };
}

const inCookies = { title: 'session', ...object({ session_id: string, expires_in: seconds }) };
const tokens = {
  title: 'tokens',
  ...object(
    {
      access_token: string,
      token_type: { enum: ['Bearer', 'DPoP'] },
      refresh_token: string,
      refresh_expires_in: seconds,
      session_id: string,
      expires_in: seconds,
    },
    { device_token: string },
  ),
};

/** A session begun or renewed: tokens in the body (RFC 6749 section 5.1), or cookies and what may be read of them. */
export function sessionAnswer({ bearer, cookies }: Pick<RouteDeps, 'bearer' | 'cookies'>): object {
  if (!cookies) return tokens;
  return bearer ? { anyOf: [tokens, inCookies] } : inCookies;
}

export const account = object({ userId: string });
export const recoveryCodes = object({ recovery_codes: { type: 'array', items: string } });
export const totpStart = object({ token: string, secret: string, uri: string });
export const ended = object({ ended: { type: 'integer', minimum: 0 } });
export const reset = object({}, { device_token: string });

export const sessions = object({
  sessions: {
    type: 'array',
    items: {
      title: 'session-info',
      ...object(
        {
          id: string,
          createdAt: time,
          lastUsedAt: time,
          expiresAt: time,
          current: { type: 'boolean', description: 'The one that asks' },
          bound: { type: 'boolean', description: 'Bound to a key of its client' },
          methods: { type: 'array', items: object({ method: string, at: time }) },
          aal: { enum: [1, 2, 3] },
          authenticatedAt: time,
        },
        { address: string, userAgent: string, actor: object({ id: string, sessionId: string }) },
      ),
    },
  },
});

const keyFacts = {
  id: string,
  name: string,
  scopes: { type: 'array', items: string },
  createdAt: time,
  expiresAt: time,
  lastUsedAt: { type: ['integer', 'null'], description: 'To the minute' },
};
export const apiKey = object({ key: { ...string, description: 'Shown this once' }, ...keyFacts });
export const apiKeys = object({
  keys: { type: 'array', items: { title: 'api-key-info', ...object(keyFacts) } },
});

const passkeyFacts = {
  id: string,
  name: string,
  transports: { type: 'array', items: string },
  backupEligible: { type: 'boolean' },
  backedUp: { type: 'boolean' },
  createdAt: time,
  lastUsedAt: { type: ['integer', 'null'] },
};
export const passkey = object(passkeyFacts);
export const passkeys = object({
  passkeys: { type: 'array', items: { title: 'passkey-info', ...object(passkeyFacts) } },
});
/** For `PublicKeyCredential.parseCreationOptionsFromJSON()` or `parseRequestOptionsFromJSON()`; with cookies `ceremony` is in one. */
export const ceremony = object({ options: { type: 'object' }, expires_in: seconds }, { ceremony: string });

export const keySet = object({ keys: { type: 'array', items: object({ kty: string, kid: string }) } });
