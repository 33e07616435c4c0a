import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { inspect } from 'node:util';
import request from 'supertest';
import { createRedactor } from '../src/index.js';

const { redact, stringify } = createRedactor();
const secrets = ['bearer-value-77', 'session-value-77', 'query-value-77', 'body-value-77', 'answer-value-77'];
const everything = (value: unknown): string =>
  [stringify(value), inspect(redact(value), { depth: Infinity, showHidden: true })].join('\n');

onBothExpress((express) => {
  function appLogging(log: (what: unknown) => void) {
    const app = express();
    app.use(express.json());
    app.post('/books/:id', (req: Request, res: Response) => {
      res.cookie('session', 'answer-value-77');
      log({ msg: 'handled', req, res, body: req.body as unknown });
      const { password } = req.body as { password: string };
      res.json([req.headers.authorization, req.query['token'], password]);
    });
    app.use((error: Error, req: Request, res: Response, _next: NextFunction) => {
      log({ msg: 'failed', error, req });
      res.status(400).end();
    });
    return app;
  }
  const send = (app: ReturnType<typeof appLogging>, body: string) =>
    request(app)
      .post('/books/7?token=query-value-77&page=2')
      .set('Authorization', 'Bearer bearer-value-77')
      .set('Cookie', 'session=session-value-77; theme=dark')
      .type('json')
      .send(body);

  test('a whole request and response, logged as they are, show what happened and no secret; the handler still has them', async () => {
    const logged: string[] = [];
    const app = appLogging((what) => logged.push(everything(what)));
    const answer = await send(app, JSON.stringify({ title: 'Emma', password: 'body-value-77' }));
    expect(answer.body).toEqual(['Bearer bearer-value-77', 'query-value-77', 'body-value-77']);
    expect(logged).toHaveLength(1);
    for (const secret of secrets) expect(logged[0]).not.toContain(secret);
    for (const fact of ['/books/7', 'page=2', 'Emma']) expect(logged[0]).toContain(fact);
  });

  test("body-parser's error quotes the whole body, half a password included (CWE-532): none of it is left", async () => {
    const logged: string[] = [];
    const app = appLogging((what) => logged.push(everything(what)));
    expect((await send(app, '{"title":"Emma","password":"body-value-77"')).status).toBe(400);
    expect(logged).toHaveLength(1);
    for (const secret of secrets) expect(logged[0]).not.toContain(secret);
    expect(logged[0]).toContain('SyntaxError');
  });

  test('where the log goes is down: that is for the logger to say; nothing here waits, keeps or retries', async () => {
    const app = appLogging((what) => {
      const text = everything(what);
      throw new Error(`log is down, lost ${text.length} characters`);
    });
    app.use((_error: Error, _req: Request, res: Response, _next: NextFunction) => void res.status(503).end());
    expect((await send(app, '{"password":"body-value-77"}')).status).toBe(503);
  });
});
