import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  describeWithPostgres,
  describeWithRedis,
  eventually,
  startPostgres,
  startRedis,
  type PostgresServer,
  type RedisServer,
} from '@portcullis/test-support';
import pg from 'pg';
import type { Response } from 'supertest';
import type { BookPage } from '../src/books.js';
import type { Loan } from '../src/loans.js';
import { nextIsbn } from './suites/everyday-use.js';
import { Client } from './support/client.js';
import { startLibrary, temporaryFolder, type LibraryProcess } from './support/index.js';

/** What rbac and auth promise: no process acts on a role or a session later than this after it was taken away. */
const LEASE_MS = 1000;
const PASSWORD = 'six tired badgers climb a tower';

/** Two processes of the library, started as `npm start` starts them, behind one PostgreSQL and one Redis. */
describeWithPostgres('two processes of the library', () => {
  describeWithRedis('behind one PostgreSQL and one Redis', () => {
    const folder = temporaryFolder();
    let postgres: PostgresServer;
    let redis: RedisServer;
    let one: LibraryProcess;
    let two: LibraryProcess;
    let staff: Client;
    let ann: Client;
    let annId: string;
    let books: readonly string[];

    const start = () =>
      startLibrary({
        dataDirectory: folder.path,
        env: {
          DATABASE_URL: postgres.url,
          REDIS_URL: redis.url,
          PUBLIC_ORIGIN: 'https://library.example',
          TRUSTED_PROXIES: '127.0.0.1',
        },
      });
    const signIn = (at: LibraryProcess, login: string, password: string) =>
      new Client(at.url).post('/api/auth/sign-in', { login, password, transport: 'bearer' });
    async function signedIn(at: LibraryProcess, login: string, password: string): Promise<Client> {
      const { status: code, body } = await signIn(at, login, password);
      expect([code, body]).toEqual([200, body]);
      return Object.assign(new Client(at.url), { token: (body as { access_token: string }).access_token });
    }
    async function newPatron(login: string): Promise<{ readonly id: string; readonly client: Client }> {
      const account = { login, password: PASSWORD };
      const { status: code, body } = await new Client(one.url).post('/api/auth/register', account);
      expect([code, body]).toEqual([201, body]);
      return { id: (body as { userId: string }).userId, client: await signedIn(one, login, PASSWORD) };
    }
    const status = async (who: Client, at: LibraryProcess, path: string) =>
      (await who.elsewhere(at.url).get(path)).status;
    const answers = (who: Client, at: LibraryProcess, wanted: number, path = '/api/loans') =>
      eventually(async () => expect(await status(who, at, path)).toBe(wanted), 30_000);
    const ready = (...processes: LibraryProcess[]) =>
      Promise.all(processes.map((at) => answers(new Client(at.url), at, 200, '/health/ready')));
    const borrow = (who: Client, at: LibraryProcess, bookId: string) =>
      who.elsewhere(at.url).post('/api/loans', { bookId });
    const giveBack = (who: Client, at: LibraryProcess, loan: string) =>
      who.elsewhere(at.url).post(`/api/loans/${loan}/return`);
    const loansOf = async (who: Client, at: LibraryProcess) =>
      ((await who.elsewhere(at.url).get('/api/loans')).body as { loans: readonly Loan[] }).loans;

    /** Digests of everything that is critical. */
    async function state(): Promise<Readonly<Record<string, string>>> {
      const client = new pg.Client({ connectionString: postgres.url });
      await client.connect();
      const tables = ['library.person', 'library.book', 'portcullis.auth_api_key'];
      const { rows: rbac } = await client.query<{ name: string }>(
        `select format('portcullis.%I', table_name) as name from information_schema.tables
         where table_schema = 'portcullis' and table_name like 'rbac\\_%' and table_name <> 'rbac_use'`,
      );
      const found: Record<string, string> = {};
      for (const table of [...tables, ...rbac.map(({ name }) => name)]) {
        const { rows } = await client.query<{ digest: string }>(
          `select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as digest from ${table} t`,
        );
        found[table.split('.')[1]!] = rows[0]!.digest;
      }
      await client.end();
      return found;
    }

    beforeAll(async () => {
      [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
      one = await start(); // Makes the tables and the staff account; the other one finds them.
      two = await start();
      staff = await signedIn(one, one.staff!.email, one.staff!.password);
      ({ id: annId, client: ann } = await newPatron('ann@readers.example'));
      const { body } = await new Client(one.url).get('/api/books');
      books = (body as BookPage).books.map(({ id }) => id);
    }, 120_000);
    afterAll(async () => {
      await Promise.all([one?.kill('SIGKILL'), two?.kill('SIGKILL')]);
      await Promise.all([postgres?.stop(), redis?.stop()]);
      folder.remove();
    });

    test('the first prints a staff account once, the second prints none', () => {
      expect(one.staff).toMatchObject({ email: 'staff@library.example' });
      expect(one.staff!.password.length).toBeGreaterThanOrEqual(24);
      expect(one.output.filter((line) => line.includes(one.staff!.password))).toHaveLength(1);
      expect(two.staff).toBeUndefined();
    });

    test('share sessions: signed in at one is signed in at the other, and so is signed out', async () => {
      const { client: bob } = await newPatron('bob@readers.example');
      expect(await status(bob, two, '/api/loans')).toBe(200);
      expect((await bob.elsewhere(one.url).post('/api/auth/sign-out')).status).toBe(204);
      const ended = performance.now();
      await answers(bob, two, 401);
      // The lease, and what a busy machine adds to one request and one read of the log.
      expect(performance.now() - ended).toBeLessThan(LEASE_MS + 5000);
      expect(await status(bob, one, '/api/loans')).toBe(401);
    });

    test('share loans: borrowed at one, returned at the other', async () => {
      const { id } = (await borrow(ann, one, books[0]!)).body as Loan;
      expect((await loansOf(ann, two)).map((loan) => loan.id)).toContain(id);
      expect((await giveBack(ann, two, id)).status).toBe(200);
      expect((await loansOf(ann, one)).find((loan) => loan.id === id)!.returnedAt).not.toBeNull();
      expect((await giveBack(ann, one, id)).status).toBe(404);
    });

    test('share limits: what is counted at one counts at the other', async () => {
      const guesser = new Client(one.url);
      const seen: number[] = [];
      // Twenty at each: not enough for the limit of thirty, unless they are added up.
      for (let n = 0; n < 40; n++) {
        const { status: code } = await guesser
          .at(n % 2 === 0 ? one.url : two.url)
          .submit('/register', { email: '', password: '' });
        seen.push(code);
      }
      expect(new Set(seen)).toEqual(new Set([400, 429]));
      expect(seen.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 400));
      expect((await new Client(two.url).submit('/register', {})).status).toBe(400);
    });

    test('while the audit log cannot be written, no role changes: 503, nobody has it, and it goes on without a restart', async () => {
      const change = async (action: string) =>
        (await staff.elsewhere(one.url).submit(`/staff/people/${annId}/${action}`, { role: 'staff' })).status;
      const path = '/api/loans/open';
      const locker = new pg.Client({ connectionString: postgres.url });
      await locker.connect();
      try {
        await locker.query('begin');
        await locker.query('lock table portcullis.audit_entry in access exclusive mode');
        expect(await change('grant')).toBe(503);
        expect([await status(ann, one, path), await status(ann, two, path)]).toEqual([403, 403]);
        // What is recorded in its own transaction waits in the outbox.
        const lent = await borrow(ann, one, books[4]!);
        expect(lent.status).toBe(201);
        expect((await giveBack(ann, two, (lent.body as Loan).id)).status).toBe(200);
        await locker.query('rollback');
        expect(await status(ann, two, path)).toBe(403);
        await eventually(async () => expect(await change('grant')).toBe(303), 30_000);
        await answers(ann, two, 200, path);
        expect(await change('revoke')).toBe(303);
        const told = await locker.query<{ action: string; n: number }>(
          `select action, count(*)::int as n from portcullis.audit_entry
           where target_id = $1 and action like 'role.%' group by action`,
          [annId],
        );
        const counts = Object.fromEntries(told.rows.map(({ action, n }) => [action, n]));
        expect(counts['role.granted']).toBe(1);
        expect(counts['role.revoked']).toBe(1);
      } finally {
        await locker.end();
      }
    });

    describe.each([
      [
        'the store of the audit log hung',
        async () => {
          const locker = new pg.Client({ connectionString: postgres.url });
          await locker.connect();
          await locker.query('begin');
          await locker.query(
            'lock table portcullis.audit_entry, portcullis.audit_outbox in access exclusive mode',
          );
          return async () => {
            await locker.query('rollback');
            await locker.end();
          };
        },
      ],
      [
        'the audit log allowed to write nothing',
        async () => {
          const owner = new pg.Client({ connectionString: postgres.url });
          await owner.connect();
          const tables = 'portcullis.audit_entry, portcullis.audit_outbox';
          await owner.query(`revoke insert on ${tables} from library_app`);
          return async () => {
            await owner.query(`grant insert (w, n, body) on portcullis.audit_entry to library_app`);
            await owner.query(`grant insert on portcullis.audit_outbox to library_app`);
            await owner.end();
          };
        },
      ],
      [
        'PostgreSQL paused',
        async () => {
          postgres.pause();
          return async () => postgres.resume();
        },
      ],
      [
        'PostgreSQL killed',
        async () => {
          await postgres.kill();
          return async () => postgres.restart();
        },
      ],
    ] as const)('%s', (trouble, breakIt) => {
      test('what is critical is refused, not done unrecorded: roles, their reviews, policies, accounts, keys, passwords, books', async () => {
        const { id: carlId, client: carl } = await newPatron(`carl-${crypto.randomUUID()}@readers.example`);
        const made = await carl.post('/api/auth/keys', { name: 'Old', scopes: ['loan:read:own'] });
        expect(made.status).toBe(201);
        const { id: keyId } = made.body as { id: string };
        const isbn13 = nextIsbn();
        const added = await staff.post('/api/books', { isbn13, title: 'Mine', authors: 'A', copies: 1 });
        expect(added.status).toBe(201);
        const { id: bookId } = added.body as { id: string };
        const { body: who } = await staff.get('/api/roles/administrators');
        const reviewers = (who as { administrators: { userId: string }[] }).administrators.map(
          ({ userId }) => userId,
        );
        const review = async () => {
          const draft = { reviewers, scope: { users: [carlId] } };
          const { status: code, body } = await staff.post('/api/roles/reviews', draft);
          expect([code, body]).toEqual([200, body]);
          return body as { id: string; items: { number: number }[] };
        };
        const [open, decided] = [await review(), await review()];
        const itemOf = ({ id, items }: typeof open) => `/api/roles/reviews/${id}/items/${items[0]!.number}`;
        const keep = { disposition: 'keep', reason: 'a reader' };
        expect((await staff.send('PUT', itemOf(decided), { json: keep })).status).toBe(200);
        const critical: readonly (() => Promise<Response>)[] = [
          () => staff.elsewhere(one.url).submit(`/staff/people/${carlId}/grant`, { role: 'staff' }),
          () => staff.elsewhere(one.url).submit(`/staff/people/${carlId}/revoke`, { role: 'patron' }),
          () => staff.elsewhere(one.url).submit(`/staff/people/${carlId}/deactivate`),
          () => staff.elsewhere(one.url).submit(`/staff/people/${carlId}/erase`),
          () => staff.elsewhere(one.url).submit(`/staff/books/${bookId}/delete`),
          () =>
            staff.elsewhere(one.url).submit(`/staff/access/reviews/${open.id}`, {
              disposition: 'revoke',
              reason: 'left',
              item: String(open.items[0]!.number),
            }),
          () =>
            staff.elsewhere(one.url).send('PUT', itemOf(open), {
              json: { disposition: 'modify', reason: 'for a week', until: Date.now() + 604_800_000 },
            }),
          () => staff.elsewhere(one.url).submit(`/staff/access/reviews/${decided.id}/close`),
          () =>
            staff.elsewhere(one.url).send('PUT', '/api/roles/roles/night-shift', {
              json: { description: 'Lends at night', allow: ['book:delete'] },
            }),
          () =>
            carl
              .elsewhere(one.url)
              .submit('/account/keys', { name: 'New', expires: '7d', 'loan:read:own': 'yes' }),
          () => carl.elsewhere(one.url).submit(`/account/keys/${keyId}/end`),
          () => carl.elsewhere(one.url).post('/api/auth/keys', { name: 'New', scopes: ['loan:read:own'] }),
          () => carl.elsewhere(one.url).send('DELETE', `/api/auth/keys/${keyId}`),
          () =>
            carl.elsewhere(one.url).post('/api/auth/password', {
              currentPassword: PASSWORD,
              newPassword: 'nine loud herons sell a bridge',
            }),
          () =>
            carl.elsewhere(one.url).submit('/account/second-factor/confirm', { token: 'x', code: '123456' }),
        ];
        const { client: leaving } = await newPatron(`eve-${crypto.randomUUID()}@readers.example`);
        const before = await state();
        const mendIt = await breakIt();
        try {
          const refused = await Promise.all(critical.map((ask) => ask()));
          expect(refused.map(({ status: code }) => code)).toEqual(critical.map(() => 503));
          // With the log alone in trouble, nobody is kept signed in.
          if (!trouble.startsWith('PostgreSQL')) {
            expect((await leaving.elsewhere(one.url).post('/api/auth/sign-out')).status).toBe(204);
          }
        } finally {
          await mendIt();
        }
        await ready(one, two);
        // What waited in the server must not come through later either.
        await answers(carl, one, 200);
        expect(await state()).toEqual(before);
        // The log leaves its store alone for a while, then all is as it was.
        for (const ask of [critical[0]!, critical[4]!])
          await eventually(async () => expect((await ask()).status).toBe(303), 30_000);
        const after = await state();
        expect(after.book).not.toBe(before.book);
        expect(after.rbac_assignment).not.toBe(before.rbac_assignment);
      });
    });

    describe.each(['running', 'paused'])('with Redis %s', (state) => {
      beforeAll(() => {
        if (state === 'paused') redis.pause();
      });
      afterAll(() => {
        redis.resume();
      });

      test('a role granted at one counts at both; taken away, it is over in both when the revocation resolves', async () => {
        const path = '/api/loans/open';
        const change = async (action: string) =>
          (await staff.elsewhere(one.url).submit(`/staff/people/${annId}/${action}`, { role: 'staff' }))
            .status;
        expect([await status(ann, one, path), await status(ann, two, path)]).toEqual([403, 403]);
        expect(await change('grant')).toBe(303);
        await Promise.all([answers(ann, one, 200, path), answers(ann, two, 200, path)]);

        // Both are asked all the time, so that both have the role in memory when it is taken away.
        const uses: { readonly at: LibraryProcess; readonly began: number; readonly code: number }[] = [];
        const watch = { over: false };
        const watches = [one, two].map(async (at) => {
          while (!watch.over) {
            const began = performance.now();
            uses.push({ at, began, code: await status(ann, at, path) });
          }
        });
        await eventually(() => expect(uses.length).toBeGreaterThan(4));
        expect(await change('revoke')).toBe(303); // Strict: resolves after one lease.
        const revoked = performance.now();
        await eventually(() => {
          for (const at of [one, two]) {
            expect(uses.filter((use) => use.at === at && use.began > revoked).length).toBeGreaterThan(2);
          }
        });
        watch.over = true;
        await Promise.all(watches);
        for (const at of [one, two]) {
          const own = uses.filter((use) => use.at === at);
          expect(own.some(({ code }) => code === 200)).toBe(true);
          const later = own.filter(({ began }) => began > revoked).map(({ code }) => code);
          expect(new Set(later)).toEqual(new Set([403]));
        }
      });
    });

    describe.each([
      ['killed', () => redis.kill(), () => redis.restart()],
      ['paused', async () => redis.pause(), async () => redis.resume()],
    ] as const)('Redis %s', (_state, breakIt, mendIt) => {
      beforeAll(breakIt);

      test('pages, loans and permissions go on; requests are still counted, by each process alone', async () => {
        expect(await status(staff, two, '/api/loans/open')).toBe(200);
        const lent = await borrow(ann, one, books[1]!);
        expect(lent.status).toBe(201);
        expect((await giveBack(ann, two, (lent.body as Loan).id)).status).toBe(200);
        const visitor = new Client(two.url);
        const left: number[] = [];
        for (let n = 0; n < 3; n++) {
          const page = await visitor.get('/books?q=moby');
          expect(page.status).toBe(200);
          left.push(Number(/"address";r=(\d+)/.exec(page.headers['ratelimit']!)![1]));
        }
        expect([left[1]! - left[0]!, left[2]! - left[1]!]).toEqual([-1, -1]);
      });

      test('nobody signs in uncounted: 503 with the right password too; again possible without a restart', async () => {
        const both = async () =>
          (await Promise.all([one, two].map((at) => signIn(at, 'ann@readers.example', PASSWORD)))).map(
            (answer) => answer.status,
          );
        expect(await both()).toEqual([503, 503]);
        const form = { email: 'ann@readers.example', password: PASSWORD };
        expect((await new Client(one.url).submit('/sign-in', form)).status).toBe(503);
        await mendIt();
        await eventually(async () => expect(await both()).toEqual([200, 200]), 30_000);
      });
    });

    describe.each([
      ['killed', () => postgres.kill(), () => postgres.restart()],
      ['paused', async () => postgres.pause(), async () => postgres.resume()],
    ] as const)('PostgreSQL %s', (_state, breakIt, mendIt) => {
      test('every answer is 503 within seconds and never a pass; it recovers without a restart', async () => {
        await ready(one, two);
        const { id } = (await borrow(ann, one, books[2]!)).body as Loan;
        await breakIt();
        try {
          // The lease ends first: what is remembered may be used so long.
          await Promise.all([answers(ann, one, 503), answers(staff, two, 503, '/api/loans/open')]);
          const began = performance.now();
          const refused = await Promise.all([
            ann.elsewhere(one.url).get('/loans'),
            borrow(ann, two, books[3]!),
            giveBack(ann, one, id),
            staff.elsewhere(two.url).get('/api/loans/open'),
            staff.elsewhere(one.url).get('/staff/people'),
            new Client(one.url).get('/books'),
            new Client(two.url).get('/api/books'),
            signIn(two, 'ann@readers.example', PASSWORD),
            new Client(one.url).submit('/sign-in', { email: 'ann@readers.example', password: PASSWORD }),
            new Client(one.url).submit('/register', { email: 'eve@readers.example', password: PASSWORD }),
          ]);
          expect(performance.now() - began).toBeLessThan(12_000);
          expect(refused.map((answer) => answer.status)).toEqual(refused.map(() => 503));
          for (const { text } of refused)
            expect(text).not.toMatch(/ECONN|terminat|postgres|select |127\.0\.0\.1/i);
          // Asked at most once a second, whoever asks.
          await answers(new Client(two.url), two, 503, '/health/ready');
          expect(await status(new Client(one.url), one, '/health/live')).toBe(200);
          expect(await status(new Client(one.url), one, '/sign-in')).toBe(200);
        } finally {
          await mendIt();
        }
        await ready(one, two);
        await Promise.all([answers(ann, one, 200), answers(staff, two, 200, '/api/loans/open')]);
        const loans = await loansOf(ann, one);
        expect(loans.find((loan) => loan.id === id)).toMatchObject({ returnedAt: null });
        expect(loans.filter((loan) => loan.returnedAt === null)).toHaveLength(1);
        expect((await giveBack(ann, two, id)).status).toBe(200);
      });
    });

    test('a stop in order ends both with exit code 0', async () => {
      expect(await Promise.all([one.kill('SIGTERM'), two.kill('SIGTERM')])).toEqual([0, 0]);
    });
  });
});
