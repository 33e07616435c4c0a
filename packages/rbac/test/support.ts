import {
  createFreshness,
  ensureContext,
  type Freshness,
  type Middleware,
  type Principal,
} from '@portcullis/core';
import { manualClock, type ManualClock } from '@portcullis/core/testing';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { definePermissions, memoryRoles, roleStoreFrom, type RoleStore } from '../src/index.js';

export const permissions = definePermissions({
  book: ['create', 'read', 'update', 'delete'],
  loan: ['read:own', 'read:any', 'approve'],
});

export const roles = {
  patron: { description: 'borrows', allow: ['book:read', 'loan:read:own'] },
  staff: { description: 'runs the library', inherits: ['patron'], allow: ['book:*', 'loan:**'] },
} as const;

/** A store of three functions over one in-memory "database", that can be slowed, broken and counted. */
export interface Database {
  /** A process's own view of it; without hints it learns of changes by polling only, its own included. */
  connect(options?: { readonly hints?: boolean }): RoleStore;
  /** Runs before every answer; throw, hang or wait in it. */
  onLoad: (what: string) => unknown;
  /** Runs after the data was read and before it is handed over: the slow network. */
  onAnswer: (what: string) => unknown;
  onPoll: () => unknown;
  loads: string[];
}

export function database(): Database {
  const inner = memoryRoles();
  const db: Database = {
    onLoad: () => undefined,
    onAnswer: () => undefined,
    onPoll: () => undefined,
    loads: [],
    connect({ hints = true } = {}) {
      const store = roleStoreFrom({
        async load(scope, options) {
          const what = scope.kind === 'user' ? `user ${scope.id}` : scope.kind;
          db.loads.push(what);
          await db.onLoad(what);
          const snapshot = await inner.load(scope, options);
          await db.onAnswer(what);
          return snapshot;
        },
        commit: (batch, options) => inner.commit(batch, options),
        async changesSince(revision, options) {
          await db.onPoll();
          return inner.feed.readSince(revision, options);
        },
      });
      return hints ? store : { ...store, feed: { ...store.feed, onHint: () => () => undefined } };
    },
  };
  return db;
}

/** The lease of one process on a clock that the test moves; polls only when it is asked to, or the lease has ended. */
export function leaseOf(
  store: RoleStore,
  clock: ManualClock = manualClock(),
): { freshness: Freshness; clock: ManualClock } {
  const freshness = createFreshness({
    feed: store.feed,
    clock,
    leaseMs: 60_000,
    pollMs: 30_000,
    renewDeadlineMs: 100,
  });
  return { freshness, clock };
}

export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

/** Stands in for authentication. */
export function asUser(id: string, rest: Partial<Principal> = {}): Middleware {
  return (req, _res, next) => {
    ensureContext(req).principal = Object.freeze({ id, kind: 'user', ...rest });
    next();
  };
}

export async function listen(app: RequestListener): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
