import { describe, expect, test } from '@jest/globals';
import express from 'express';
import express4 from 'express4';
import request from 'supertest';
import { ALLOW, guard, type GuardFunction } from '../src/index.js';

const majors = [
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
] as const;

describe.each(majors)('%s', (_name, create) => {
  async function outcome(fn: GuardFunction): Promise<number> {
    const app = create();
    app.get('/', guard('under-test', { stage: 'authorize' }, fn), (_req, res) => void res.send('SECRET'));
    app.use((_error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.status(599).send('refused');
    });
    const response = await request(app).get('/');
    expect(response.text).toBe(response.status === 200 ? 'SECRET' : 'refused');
    return response.status;
  }

  test('only an explicit allow passes: returned, resolved, or called back', async () => {
    expect(await outcome(() => ALLOW)).toBe(200);
    expect(await outcome(async () => ALLOW)).toBe(200);
    expect(await outcome((_req, _res, done) => void setImmediate(() => done(null, ALLOW)))).toBe(200);
  });

  test.each([undefined, null, 0, '', false, Number.NaN, 'route', 'router', Symbol('x'), 0n])(
    'a guard that throws or rejects with %p refuses',
    async (thrown) => {
      const fail = (): never => {
        throw thrown;
      };
      expect(await outcome(fail)).toBe(599);
      expect(await outcome(async () => fail())).toBe(599);
      expect(await outcome((_req, _res, done) => void setImmediate(() => done(thrown)))).toBe(599);
      expect(await outcome((_req, _res, done) => void setImmediate(() => done(thrown, ALLOW)))).toBe(
        thrown === null ? 200 : 599,
      );
    },
  );
});
