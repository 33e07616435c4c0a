import { createAudit, type AuditStore } from '@portcullis/audit';
import { createAuth, generateKeys, keyValueSessions, type AuthUser } from '@portcullis/auth';
import { context, createFreshness, createMemoryFeed, createMemoryStore } from '@portcullis/core';
import { csrf } from '@portcullis/csrf';
import { errorHandler, notFound } from '@portcullis/errors';
import { cors, securityHeaders } from '@portcullis/headers';
import { rateLimit } from '@portcullis/rate-limit';
import { createRbac, definePermissions, memoryRoles } from '@portcullis/rbac';
import express from 'express';
import { randomBytes } from 'node:crypto';
import type { Stack } from './stack.js';

/** Takes the entries, redacted and in canonical form, and drops them: as the other stacks' log stream does. */
const discard: AuditStore = {
  append: async () => undefined,
  query: async () => ({ entries: [] }),
};

/** The same service, guarded by the packages: live sessions and live permissions instead of what a token says. */
export const portcullisStack: Stack = {
  name: 'Portcullis',
  parts:
    'context, securityHeaders, accessLog, cors, csrf, rateLimit, express.json, authenticate (live sessions), requirePermission (live grants), errorHandler',
  async build() {
    const users = new Map<string, AuthUser>();
    const feed = createMemoryFeed();
    const store = createMemoryStore();
    const auth = createAuth({
      issuer: 'https://api.example.com',
      audience: 'https://api.example.com',
      keys: generateKeys('HS256'),
      store,
      sessions: {
        store: keyValueSessions({ store, feed }),
        freshness: createFreshness({ feed }),
        accessTtl: '60m',
      },
      users: {
        findByLogin: async (login) => users.get(login),
        findById: async (id) => [...users.values()].find((user) => user.id === id),
        saveCredential: async () => true,
        async create({ login, passwordHash }) {
          const user = { id: 'u1', login, passwordHash, active: true };
          users.set(login, user);
          return user;
        },
      },
    });
    const rbac = createRbac({
      permissions: definePermissions({ hello: ['read'] }),
      roles: { reader: { allow: ['hello:read'] } },
      store: memoryRoles(),
    });
    await rbac.seed();
    await rbac.grantRole('benchmark', 'u1', 'reader');
    const audit = createAudit({ store: discard });

    const app = express();
    app.use(context({ trustProxy: false }));
    app.use(securityHeaders({ profile: 'api' }));
    app.use(audit.accessLog());
    app.use(cors({ origins: ['https://app.example.com'], credentials: true }));
    app.use(csrf());
    app.use(rateLimit({ name: 'api', limit: 100_000_000, window: '1m' }));
    app.use(express.json());
    app.use(auth.authenticate());
    app.get('/hello', rbac.requirePermission('hello:read'), (_req, res) => void res.json({ hello: 'world' }));
    app.use(notFound(), errorHandler());

    const login = 'reader@example.com';
    const password = randomBytes(18).toString('base64url');
    const meta = { address: undefined };
    await auth.register({ login, password }, meta);
    const { accessToken } = await auth.signIn({ login, password }, meta);
    return { app, headers: { authorization: `Bearer ${accessToken}` } };
  },
};
