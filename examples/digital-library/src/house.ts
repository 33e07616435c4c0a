import { createAudit, ed25519Signer, fileAnchor, type Audit } from '@portcullis/audit';
import { auditMigrations, auditRoleMigration, postgresAudit } from '@portcullis/audit/postgres';
import { argon2id, createAuth, type Auth, type Notify } from '@portcullis/auth';
import { passkeys } from '@portcullis/auth/passkeys';
import { authMigrations, postgresApiKeys, postgresSessions } from '@portcullis/auth/postgres';
import { csrf } from '@portcullis/csrf';
import { createEvents, createFreshness, createMemoryStore, type Events, type Sql } from '@portcullis/core';
import { feedMigrations, migrate, postgresFeed } from '@portcullis/core/postgres';
import { redisStore } from '@portcullis/core/redis';
import { memoryLimits } from '@portcullis/rate-limit';
import { redisLimits } from '@portcullis/rate-limit/redis';
import { createRbac, type PermissionOf, type Rbac } from '@portcullis/rbac';
import { postgresGovernance, postgresRoles, rbacMigrations } from '@portcullis/rbac/postgres';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loanFields } from './book-loans.js';
import { addMissingBooks, type NewBook } from './books.js';
import { createCovers, type Covers } from './covers.js';
import { connectPostgres, openEmbedded, type Database } from './database.js';
import { allKeyScopes } from './key-scopes.js';
import {
  auditPeopleKey,
  formKey,
  loadOrGenerateAuditKey,
  loadOrGenerateFactorKey,
  loadOrGenerateKeys,
} from './keys.js';
import { consoleNotify, httpNotify } from './messages.js';
import { APP_ROLE, libraryMigrations } from './migrations.js';
import { createPeople, type People } from './people.js';
import { permissions, roles } from './permissions.js';
import { recordReports } from './report-log.js';
import type { Settings } from './settings.js';
import { generatePassword } from './staff-account.js';

export type LibraryRbac = Rbac<PermissionOf<typeof permissions>, keyof typeof roles>;

/** Everything the library's routes need, wired once. */
export interface House {
  readonly sql: Sql;
  readonly events: Events;
  readonly auth: Auth;
  readonly rbac: LibraryRbac;
  readonly audit: Audit;
  readonly people: People;
  readonly loanFields: ReturnType<typeof loanFields>;
  /** Tokens of forms: the second line behind csrf(), for browsers too old to say who asks. */
  readonly formToken: ReturnType<typeof csrf.token>;
  readonly covers: Covers;
  /** False where the address has no name that passkeys could belong to. */
  readonly hasPasskeys: boolean;
  /** False where no message can be sent: no registration by mail, no reset of passwords. */
  readonly hasMail: boolean;
  readonly registration: 'open' | 'by-mail' | 'off';
  readonly windows: ReturnType<typeof memoryLimits>;
  readonly origin: URL | undefined;
  readonly trustProxy: false | readonly string[];
  /** Made at the first start only; printed once and never stored in clear. */
  readonly firstStaff: { readonly email: string; readonly password: string } | undefined;
  /** Rejects while the database cannot be asked; for readiness. */
  check(): Promise<void>;
  close(): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** Name of the log, in every entry and checkpoint. It says which log that is, not where it runs, and never changes. */
const AUDIT_LOG = 'digital-library/audit';
const STAFF_EMAIL = 'staff@library.example';

/**
 * Opens database and Redis, brings the tables up to date and wires the packages together.
 * Where each fact lives: people, loans, sessions, roles and the audit log in PostgreSQL (or PGlite); counts of requests and
 * of password guesses in Redis, or in this process without it.
 */
export async function openHouse(
  settings: Settings,
  options: {
    readonly production: boolean;
    /** Sends messages in the place of what the settings say. */
    readonly notify?: Notify;
  },
): Promise<House> {
  const { DATABASE_URL, REDIS_URL, DATA_DIRECTORY, SIGNING_KEYS, TRUSTED_PROXIES, PUBLIC_ORIGIN } = settings;
  const { AUDIT_KEY, AUDIT_ANCHOR, FACTOR_KEY, REGISTRATION } = settings;
  const database = DATABASE_URL ? await connectPostgres(DATABASE_URL) : await openEmbedded(DATA_DIRECTORY);
  const redis = REDIS_URL ? connectRedis(REDIS_URL.reveal()) : undefined;
  const close = async (): Promise<void> => {
    redis?.disconnect();
    await database.close();
  };
  try {
    return await wire(database, redis, close);
  } catch (error) {
    await close();
    throw error;
  }

  async function wire(
    { sql, securitySql }: Database,
    client: Redis | undefined,
    closeConnections: () => Promise<void>,
  ): Promise<House> {
    await migrate(sql, [
      ...feedMigrations,
      ...rbacMigrations,
      ...authMigrations,
      ...auditMigrations,
      ...libraryMigrations,
      auditRoleMigration(APP_ROLE),
    ]);

    const events = createEvents();
    const feed = postgresFeed({ sql: securitySql });
    const freshness = createFreshness({ feed, events });
    const rbac = createRbac({
      permissions,
      roles,
      store: postgresRoles({ sql: securitySql, feed }),
      governance: postgresGovernance({ sql: securitySql }), // Access reviews, and what is used.
      breakGlass: { role: 'emergency', maxMs: HOUR_MS },
      freshness,
      events,
    });
    await rbac.seed();

    const people = createPeople(
      sql,
      async (id) => void (await rbac.grantRole('system', id, 'patron', { reason: 'registered' })),
    );
    const sessions = postgresSessions({ sql: securitySql, feed });
    const apiKeys = postgresApiKeys({ sql: securitySql, feed });
    // Sessions of people who never come back, and keys whose time is over. What fails now succeeds an hour later.
    const sweeping = setInterval(() => {
      for (const store of [sessions, apiKeys]) void store.sweep(Date.now()).catch(() => undefined);
    }, HOUR_MS);
    sweeping.unref();
    const origin = PUBLIC_ORIGIN === undefined ? undefined : new URL(PUBLIC_ORIGIN);
    const issuer = origin?.origin ?? 'http://localhost';
    const notify = options.notify ?? notifyOf(settings, linksTo(origin, settings.PORT));
    // Whoever borrows has shown an address that is theirs, unless somebody decides otherwise.
    const registration = REGISTRATION ?? (notify ? 'by-mail' : 'off');
    const signingKeys = loadOrGenerateKeys(SIGNING_KEYS, DATA_DIRECTORY);
    const factorKey = loadOrGenerateFactorKey(FACTOR_KEY, DATA_DIRECTORY);
    const cookieProfile = origin?.protocol === 'https:' ? 'host' : 'development';
    const site = passkeySite(origin, settings.PORT);
    const auth = createAuth({
      issuer,
      audience: issuer,
      keys: signingKeys,
      users: people,
      store: client ? redisStore(client) : createMemoryStore({ maxEntries: 1_000_000 }),
      sessions: { store: sessions, freshness, accessTtl: '60m' },
      transport: {
        bearer: true,
        cookies: { profile: cookieProfile },
      },
      passwords: { hash: argon2id(), policy: { minLength: 12 } },
      apiKeys: { prefix: 'library', scopes: allKeyScopes, store: apiKeys, freshness },
      factors: {
        keys: [{ id: 'library', key: factorKey }],
        issuer: 'Digital Library',
      },
      registration: registration === 'off' ? false : registration,
      ...(notify ? { notify } : {}),
      ...(site ? { passkeys: passkeys({ ...site, rpName: 'Digital Library' }) } : {}),
      production: options.production,
      events,
    });
    const since = await openedAt(sql);
    const audit = createAudit({
      store: postgresAudit({ sql, role: APP_ROLE }),
      reviews: {
        roles: {
          match: [
            { action: 'role.*' },
            { action: 'emergency.*' },
            { action: 'loan.history-seen' },
            { action: 'person.password-reset' },
            { action: 'person.deactivated' },
            { action: 'person.erased' },
          ],
          since,
        },
        refused: { match: [{ kind: 'request', outcome: 'denied' }], since, sample: 0.05 },
      },
      // An action that cannot be recorded is refused; but nobody is kept signed in for that.
      classes: { 'person.signed-out': 'drop-and-count', 'person.sessions-ended': 'drop-and-count' },
      // Whoever is erased leaves an id behind, and no address.
      personal: { key: auditPeopleKey(factorKey), fields: { 'context.address': 'actor' } },
      signer: ed25519Signer({ origin: AUDIT_LOG, key: loadOrGenerateAuditKey(AUDIT_KEY, DATA_DIRECTORY) }),
      anchors: [fileAnchor({ path: AUDIT_ANCHOR ?? join(DATA_DIRECTORY, 'audit-anchor.ndjson') })],
      events,
    });
    recordReports(audit, events);

    const firstStaff = await makeFirstStaff({ auth, rbac, audit, sql });
    await addStartingBooks(sql);
    // From here on, every change of a book leaves what was before and after, whoever makes it and by whatever statement.
    await audit.track(sql, 'book', {
      schema: 'library',
      exclude: ['search', 'lent', 'created_at', 'modified_at'],
      mask: ['created_by', 'modified_by'],
    });
    return {
      sql,
      events,
      auth,
      rbac,
      audit,
      people,
      loanFields: loanFields(rbac),
      formToken: csrf.token({
        keys: formKey(signingKeys),
        require: 'unproven',
        cookie: cookieProfile,
        production: options.production,
        ...(origin ? { trustedOrigins: [origin.origin] } : {}),
        events,
      }),
      hasMail: notify !== undefined,
      registration,
      hasPasskeys: site !== undefined,
      covers: createCovers(DATA_DIRECTORY, events),
      windows: client ? redisLimits(client) : memoryLimits(),
      origin,
      trustProxy: TRUSTED_PROXIES ?? false,
      firstStaff,
      check: async () => void (await sql.query('select 1', [], { timeoutMs: 1000 })),
      async close() {
        clearInterval(sweeping);
        await auth.settled(); // Messages that wait.
        await audit.close();
        await rbac.close();
        await freshness.stop();
        await feed.close();
        await closeConnections();
      },
    };
  }
}

/** Where links in messages lead. */
function linksTo(origin: URL | undefined, port: number): string {
  return origin?.origin ?? `http://localhost:${port}`;
}

/** On one machine for trying out, messages are printed; on real servers somebody has to send them. */
function notifyOf({ NOTIFY_URL, DATABASE_URL }: Settings, origin: string): Notify | undefined {
  if (NOTIFY_URL) return httpNotify(NOTIFY_URL.reveal(), origin);
  return DATABASE_URL ? undefined : consoleNotify(origin, (line) => process.stdout.write(`${line}\n`));
}

/** Passkeys belong to a domain, or to this machine by its name; an address of numbers has none. */
function passkeySite(
  origin: URL | undefined,
  port: number,
): { readonly rpId: string; readonly origins: readonly string[] } | undefined {
  // A port that is found only when it is opened stands in no settings: such a library has no passkeys.
  if (!origin && port === 0) return undefined;
  if (!origin) return { rpId: 'localhost', origins: [new URL(`http://localhost:${port}`).origin] };
  const { hostname, protocol } = origin;
  if (/^[\d.]+$|^\[/.test(hostname) || (protocol !== 'https:' && hostname !== 'localhost')) return undefined;
  return { rpId: hostname, origins: [origin.origin] };
}

/** Fails fast instead of queueing: every user of it has decided what happens while Redis is away. */
function connectRedis(url: string): Redis {
  const client = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    commandTimeout: 500,
    retryStrategy: (times) => Math.min(100 * times, 1000),
  });
  client.on('error', () => undefined); // Told by the events rate-limit.degraded and store.failed.
  return client;
}

/** The list that comes with the library; facts checked against a public catalogue. */
async function addStartingBooks(sql: Sql): Promise<void> {
  const { rowCount } = await sql.query('select 1 from library.book limit 1');
  if (rowCount > 0) return;
  const list = JSON.parse(readFileSync(new URL('../data/books.json', import.meta.url), 'utf8')) as readonly {
    isbn13: string;
    title: string;
    author: string;
    year: number;
  }[];
  const books: NewBook[] = list.map(({ isbn13, title, author, year }) => ({
    isbn13,
    title,
    authors: author,
    year,
    copies: 2,
  }));
  await addMissingBooks(sql, books, 'system');
}

/** Since when there is something to review. */
async function openedAt(sql: Sql): Promise<Date> {
  const { rows } = await sql.query<{ at: Date | string | null }>(
    'select min(created_at) as at from library.person',
  );
  return new Date(rows[0]?.at ?? Date.now());
}

async function makeFirstStaff({
  auth,
  rbac,
  audit,
  sql,
}: Pick<House, 'auth' | 'rbac' | 'audit' | 'sql'>): Promise<House['firstStaff']> {
  const { rowCount } = await sql.query('select 1 from library.person where email = $1', [STAFF_EMAIL]);
  if (rowCount > 0) return undefined;
  const password = generatePassword();
  const passwordHash = await auth.passwords.hash(password);
  const id = randomUUID();
  const about = { outcome: 'success', actor: 'system', target: { type: 'person', id } } as const;
  const role = { data: { role: 'staff' } };
  await audit.record({ action: 'role.grant-requested', ...about, ...role });
  // The role first: an account that is there and cannot manage anything would never be made again.
  await rbac.grantRole('system', id, 'staff', { reason: 'first start' });
  // With its record, or not at all: the password is shown once.
  const isFirst = await sql.transaction(async (tx) => {
    const { rowCount: added } = await tx.query(
      `insert into library.person (id, email, password_hash) values ($1, $2, $3) on conflict (email) do nothing`,
      [id, STAFF_EMAIL, passwordHash],
    );
    if (added === 0) return false;
    await audit.tx(tx).record({ action: 'person.registered', ...about });
    await audit.tx(tx).record({ action: 'role.granted', ...about, ...role });
    return true;
  });
  if (isFirst) return { email: STAFF_EMAIL, password };
  // Another process of the library started at the same moment and was first.
  await rbac.revokeRole('system', id, 'staff');
  return undefined;
}
