import { expect, test } from '@jest/globals';
import type { ErrorFactory } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import request from 'supertest';
import { catchAsync, errorHandler, errorsErrors, notFound } from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(errorsErrors)) expect(make().code).toBe(code);
});

onBothExpress((express) => {
  test('smoke', async () => {
    const app = express();
    app.get(
      '/a',
      catchAsync(async (_req, _res) => {
        throw new Error('SECRET');
      }),
    );
    app.use(notFound(), errorHandler({ logger: false }));
    const a = await request(app).get('/a');
    expect(a.status).toBe(500);
    expect((await request(app).post('/a').set('Accept', 'text/html')).status).toBe(405);
    expect((await request(app).get('/b').set('Accept', 'text/plain')).status).toBe(404);
  });
});
