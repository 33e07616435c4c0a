import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import {
  ALLOW,
  createEvents,
  guard,
  stageOf,
  type GuardFunction,
  type GuardOptions,
  type SecurityEvent,
} from '../src/index.js';

onBothExpress((express) => {
  interface Outcome {
    readonly status: number;
    readonly handled: number;
    readonly code: unknown;
    readonly events: readonly SecurityEvent[];
  }

  /** One request to a route behind the guard: did the handler run, and what reached the error handler? */
  async function outcome(fn: GuardFunction, options: Partial<GuardOptions> = {}): Promise<Outcome> {
    const app = express();
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('*', (event) => seen.push(event));
    let handled = 0;
    let code: unknown;
    app.get('/', guard('under-test', { stage: 'authorize', events, ...options }, fn), (_req, res) => {
      handled++;
      res.send('SECRET');
    });
    app.use((error: Error & { code?: string }, _req: Request, res: Response, _next: NextFunction) => {
      expect(error).toBeInstanceOf(Error);
      code = error.code ?? error.message;
      res.status(599).send('refused');
    });
    const response = await request(app).get('/');
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { status: response.status, handled, code, events: seen };
  }
  const passed = { status: 200, handled: 1 };
  const refused = { status: 599, handled: 0 };
  const later = (fn: () => void) => void setImmediate(fn);

  test('only an explicit allow passes: returned, resolved, or called back', async () => {
    expect(await outcome(() => ALLOW)).toMatchObject(passed);
    expect(await outcome(async () => ALLOW)).toMatchObject(passed);
    expect(await outcome((_req, _res, done) => done(null, ALLOW))).toMatchObject(passed);
    expect(await outcome((_req, _res, done) => later(() => done(null, ALLOW)))).toMatchObject(passed);
  });

  test.each([undefined, null, 0, '', false, Number.NaN, 'route', 'router', Symbol('x'), 0n, {}, []])(
    'ASVS V16.5.3: a guard that throws, rejects or calls back with %p refuses with a real error (expressjs/express#3011)',
    async (thrown) => {
      const fail = (): never => {
        throw thrown;
      };
      const failed = { ...refused, code: 'E_GUARD_FAILED' };
      expect(await outcome(fail)).toMatchObject(failed);
      expect(await outcome(async () => fail())).toMatchObject(failed);
      expect(await outcome((_req, _res, done) => later(() => done(thrown)))).toMatchObject(failed);
      expect(await outcome((_req, _res, done) => done(thrown))).toMatchObject(failed);
    },
  );

  test.each([undefined, null, true, 1, 'allow', Symbol('portcullis.allow'), {}])(
    'ASVS V16.5.3: a guard that returns or resolves with %p has not allowed anything',
    async (value) => {
      const undecided = { ...refused, code: 'E_GUARD_UNDECIDED' };
      expect(await outcome((() => value) as GuardFunction)).toMatchObject(undecided);
      expect(await outcome((async () => value) as GuardFunction)).toMatchObject(undecided);
    },
  );

  test('an error of the guard reaches the error handler as it is', async () => {
    const error = Object.assign(new Error('not today'), { code: 'E_MINE' });
    const fail = (): never => {
      throw error;
    };
    expect(await outcome(fail)).toMatchObject({ ...refused, code: 'E_MINE' });
    expect(await outcome(async () => fail())).toMatchObject({ ...refused, code: 'E_MINE' });
    expect(await outcome((_req, _res, done) => done(error, ALLOW))).toMatchObject({
      ...refused,
      code: 'E_MINE',
    });
  });

  test('a thenable with a hostile then refuses', async () => {
    const hostile = {
      get then(): never {
        throw undefined as unknown as Error;
      },
    };
    expect(await outcome((() => hostile) as unknown as GuardFunction)).toMatchObject(refused);
  });

  test('a guard may answer by itself; the handler does not run', async () => {
    const redirect: GuardFunction = (_req, res) => {
      res.statusCode = 308;
      res.end();
    };
    expect(await outcome(redirect)).toMatchObject({ status: 308, handled: 0, code: undefined });
    expect(await outcome(async (req, res) => redirect(req, res, () => undefined))).toMatchObject({
      status: 308,
      handled: 0,
    });
  });

  test('the first decision counts; a later one is an event, not a second run of the handler', async () => {
    const twice = await outcome((_req, _res, done) => {
      done(null, ALLOW);
      done(null, ALLOW);
      done(new Error('too late'));
    });
    expect(twice).toMatchObject(passed);
    expect(twice.events.map((e) => e.type === 'guard.failed' && e.reason)).toEqual(['late', 'late']);
    expect(
      await outcome((_req, _res, done) => {
        done(new Error('no'));
        later(() => done(null, ALLOW));
      }),
    ).toMatchObject({ ...refused, code: 'no' });
  });

  test('ASVS V16.5.3: a guard that never decides is refused after its time-out', async () => {
    expect(await outcome((_req, _res, _done) => undefined, { timeoutMs: 20 })).toMatchObject({
      ...refused,
      code: 'E_GUARD_TIMEOUT',
    });
    expect(await outcome(() => new Promise(() => undefined), { timeoutMs: 20 })).toMatchObject(refused);
  });

  test('the middleware carries its stage and a readable name', () => {
    const middleware = guard('requireThing', { stage: 'authorize', detail: 'thing:read' }, () => ALLOW);
    expect(middleware.name).toBe('requireThing');
    expect(middleware).toHaveLength(3);
    expect(stageOf(middleware)).toEqual({ kind: 'authorize', detail: 'thing:read', name: 'requireThing' });
    expect(stageOf(() => undefined)).toBeUndefined();
  });
});
