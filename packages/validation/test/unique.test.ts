import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createEvents, type SecurityEvent } from '@portcullis/core';
import { fromPg } from '@portcullis/core/postgres';
import {
  describeWithPostgres,
  onBothExpress,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import pg from 'pg';
import request from 'supertest';
import { asTaken, validate, validOf, type UniqueRule, type ValidateOptions } from '../src/index.js';

const Account = {
  type: 'object',
  properties: {
    email: { type: 'string', format: 'email' },
    profile: { type: 'object', properties: { 'a/b~c': { type: 'string' } } },
  },
  required: ['email'],
} as const;
const input = { body: Account } as const;
const never = () => new Promise<boolean>(() => undefined);

onBothExpress((express) => {
  function appOf(unique: readonly UniqueRule[], options: Omit<ValidateOptions, 'unique'> = {}) {
    const app = express();
    const reached: unknown[] = [];
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('*', (event) => void seen.push(event));
    app.post('/', express.json(), validate(input, { unique, events, ...options }), (req, res) => {
      reached.push(validOf(input, req).body);
      res.status(201).end();
    });
    app.use(
      (
        error: { status: number; code: string; problem: object },
        _req: Request,
        res: Response,
        _next: NextFunction,
      ) => {
        res.status(error.status).json({ code: error.code, ...error.problem });
      },
    );
    return { post: (body: object) => request(app).post('/').send(body), reached, seen };
  }

  test('ASVS V2.3.1: a value that is taken is answered with 409 and its pointer, without the value', async () => {
    const asked: unknown[] = [];
    const { post, reached, seen } = appOf([
      {
        pointer: '/email',
        taken: async (email: string, req, { signal }) => {
          asked.push([email, req.method, signal.aborted]);
          return email === 'ada@example.com';
        },
      },
    ]);
    const { status, body, text } = await post({ email: 'ada@example.com' });
    expect([status, body]).toEqual([
      409,
      {
        code: 'E_TAKEN',
        errors: [{ in: 'body', pointer: '/email', keyword: 'unique', message: 'is already in use' }],
      },
    ]);
    expect(text).not.toContain('ada@');
    expect(seen).toMatchObject([{ type: 'validation.failed', in: ['body'], keywords: ['unique'] }]);
    expect((await post({ email: 'eve@example.com' })).status).toBe(201);
    expect(reached).toEqual([{ email: 'eve@example.com' }]);
    expect(asked).toEqual([
      ['ada@example.com', 'POST', false],
      ['eve@example.com', 'POST', false],
    ]);
  });

  test('nobody is asked about input that the schema refuses, nor about a value that is not there', async () => {
    let asked = 0;
    const count = () => {
      asked++;
      return true;
    };
    const { post } = appOf([{ pointer: '/profile/a~1b~0c', taken: count }]);
    expect((await post({ email: 'no address' })).status).toBe(400);
    expect((await post({ email: 'a@example.com' })).status).toBe(201);
    expect(asked).toBe(0);
    expect((await post({ email: 'a@example.com', profile: { 'a/b~c': 'x' } })).body.errors[0].pointer).toBe(
      '/profile/a~1b~0c',
    );
    expect(asked).toBe(1);
  });

  test('all values that are taken are listed at once', async () => {
    const { post } = appOf([
      { pointer: '/email', taken: () => true },
      { in: 'body', pointer: '/profile', taken: async () => true },
    ]);
    const { body } = await post({ email: 'a@example.com', profile: {} });
    expect(body.errors.map((one: { pointer: string }) => one.pointer)).toEqual(['/email', '/profile']);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('ada@example.com: connection lost'))],
    [
      'throws',
      () => {
        throw new Error('no pool');
      },
    ],
    [
      'throws undefined',
      () => {
        // oxlint-disable-next-line no-throw-literal
        throw undefined;
      },
    ],
    ['answers undefined', () => undefined as never],
    ['answers the number of rows', () => 0 as never],
    ['answers rows', async () => [] as never],
    ['answers null', () => null as never],
    ['never answers', never],
  ] as [string, () => boolean | Promise<boolean>][])(
    'a store that %s is a 503, and the handler does not run',
    async (_what, taken) => {
      const { post, reached, seen } = appOf([{ pointer: '/email', taken }], { uniqueTimeout: 50 });
      const { status, body, text } = await post({ email: 'ada@example.com' });
      expect([status, body.code, reached]).toEqual([503, 'E_UNIQUENESS_UNKNOWN', []]);
      expect(text).not.toMatch(/ada@|connection/);
      expect(seen).toMatchObject([{ type: 'store.failed', store: 'unique', operation: 'taken' }]);
    },
  );

  test('a question that comes too late is told so by its signal', async () => {
    let aborted = false;
    const taken: UniqueRule['taken'] = (_value, _req, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(new Error('cancelled'));
        });
      });
    const { post } = appOf([{ pointer: '/email', taken }], { uniqueTimeout: 50 });
    expect([(await post({ email: 'a@example.com' })).status, aborted]).toEqual([503, true]);
  });
});

describe('a rule that can never be right does not start', () => {
  const taken = () => false;
  test.each([
    ['a misspelt property', [{ pointer: '/emal', taken }], 'Did you mean "/email"?'],
    ['a pointer without a slash', [{ pointer: 'email', taken }], 'unique[0].pointer'],
    ['the whole body', [{ pointer: '', taken }], 'unique[0].pointer'],
    ['a part without a schema', [{ in: 'query', pointer: '/email', taken }], 'which has no schema'],
    ['no question', [{ pointer: '/email' }], 'unique[0].taken'],
    [
      'the same twice',
      [
        { pointer: '/email', taken },
        { pointer: '/email', taken },
      ],
      'repeats',
    ],
    ['eleven of them', Array.from({ length: 11 }, (_, i) => ({ pointer: `/${i}`, taken })), 'unique'],
    ['an unknown option', [{ pointer: '/email', take: taken, taken }], 'take'],
  ])('%s', (_what, unique, message) => {
    expect(() => validate(input, { unique: unique as never })).toThrow(message);
  });
  test('a deadline that is none', () => {
    expect(() => validate(input, { uniqueTimeout: 0 })).toThrow('uniqueTimeout');
    expect(() => validate(input, { uniqueTimeout: '1h' })).toThrow('uniqueTimeout');
  });
});

describe('asTaken()', () => {
  const violation = Object.assign(new Error('Key (email)=(ada@example.com) already exists.'), {
    code: '23505',
    constraint: 'users_email_key',
  });
  test('a unique violation in the words of any driver is E_TAKEN, found also as a cause', () => {
    for (const error of [violation, new Error('Failed query', { cause: violation })]) {
      const taken = asTaken(error, { users_email_key: '/email' });
      expect(taken).toMatchObject({
        code: 'E_TAKEN',
        status: 409,
        problem: { errors: [{ in: 'body', pointer: '/email' }] },
      });
      expect(JSON.stringify((taken as { problem: object }).problem)).not.toContain('ada@');
    }
    expect(asTaken(violation, { users_email_key: { in: 'params', pointer: '/id' } })).toMatchObject({
      problem: { errors: [{ in: 'params', pointer: '/id' }] },
    });
  });
  test('everything else comes back as it was', () => {
    const loop = new Error('loop');
    loop.cause = loop;
    const foreign = Object.assign(new Error('no such book'), {
      code: '23503',
      constraint: 'users_email_key',
    });
    for (const error of [new Error('x'), foreign, loop, undefined, 'route', null]) {
      expect(asTaken(error, { users_email_key: '/email' })).toBe(error);
    }
    expect(asTaken(violation, { other_key: '/email' })).toBe(violation);
    expect(asTaken({ ...violation, constraint: 'toString' }, {})).toEqual({
      ...violation,
      constraint: 'toString',
    });
    expect(
      asTaken(Object.assign(new Error('x'), { code: '23505', constraint: 'constructor' }), {}),
    ).toHaveProperty('code', '23505');
  });
});

describeWithPostgres('with a real PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 4, connectionTimeoutMillis: 2000 });
    pool.on('error', () => undefined);
    await pool.query('create table people (email text constraint people_email_key unique)');
  }, 60_000);
  afterEach(() => server.resume());
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  onBothExpress((express, major) => {
    /** `gate` lets a test hold every request between the question and the write. */
    function appOf(
      write: (email: string) => Promise<unknown>,
      gate: () => Promise<void> = async () => undefined,
    ) {
      const app = express();
      const unique: UniqueRule = {
        pointer: '/email',
        taken: async (email: string) => {
          const { rows } = await pool.query('select 1 from people where email = $1', [email]);
          await gate();
          return rows.length > 0;
        },
      };
      app.post(
        '/',
        express.json(),
        validate(input, { unique: [unique], uniqueTimeout: '3s' }),
        async (req, res, next) => {
          try {
            await write(validOf(input, req).body.email);
            res.status(201).end();
          } catch (error) {
            next(asTaken(error, { people_email_key: '/email' }));
          }
        },
      );
      app.use(
        (
          error: { status?: number; code: string; problem: object },
          _req: Request,
          res: Response,
          _next: NextFunction,
        ) => {
          res.status(error.status ?? 500).json({ code: error.code, ...error.problem });
        },
      );
      return (email: string) => request(app).post('/').send({ email });
    }
    /** Opens when so many have come. */
    function meeting(size: number) {
      let open: () => void;
      const opened = new Promise<void>((resolve) => (open = resolve));
      let here = 0;
      return () => {
        if (++here === size) open();
        return opened;
      };
    }
    const byPg = (email: string) => pool.query('insert into people values ($1)', [email]);
    const byCore = (email: string) => fromPg(pool).query('insert into people values ($1)', [email]);

    test.each([
      ['pg', byPg],
      ['the Sql of core', byCore],
    ])(
      'four at once are all told that the name is free; the constraint lets one in, and the others hear 409 (%s)',
      async (name, write) => {
        const post = appOf(write, meeting(4));
        const email = `race-${name.length}-${major}@example.com`;
        const answers = await Promise.all([post(email), post(email), post(email), post(email)]);
        expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409, 409, 409]);
        const refused = answers.find(({ status }) => status === 409)!;
        expect(refused.body).toEqual({
          code: 'E_TAKEN',
          errors: [{ in: 'body', pointer: '/email', keyword: 'unique', message: 'is already in use' }],
        });
        // Who comes later is told by the question.
        expect((await appOf(write)(email)).body.code).toBe('E_TAKEN');
      },
    );

    test('a server that is paused is a 503 within the deadline', async () => {
      const post = appOf(byPg);
      server.pause();
      const answer = await post(`paused-${major}@example.com`);
      expect([answer.status, answer.body.code]).toEqual([503, 'E_UNIQUENESS_UNKNOWN']);
    });

    test('a server that is killed is a 503, and is asked again when it is back', async () => {
      const post = appOf(byPg);
      await server.kill();
      expect((await post(`killed-${major}@example.com`)).body.code).toBe('E_UNIQUENESS_UNKNOWN');
      await server.restart();
      expect((await post(`killed-${major}@example.com`)).status).toBe(201);
    }, 30_000);
  });
});
