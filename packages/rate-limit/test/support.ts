import { context, createEvents, type Clock, type Events, type SecurityEvent } from '@portcullis/core';
import type { ExpressLike } from '@portcullis/test-support';
import type { Express, NextFunction, Request, Response } from 'express';
import { rateLimit, type RateLimitOptions } from '../src/index.js';

export interface HandClock extends Clock {
  advance(ms: number): void;
}

export function handClock(): HandClock {
  let now = 1_000;
  return {
    now: () => now,
    monotonic: () => now,
    advance: (ms) => {
      now += ms;
    },
  };
}

export function recorded(): Events & { readonly all: SecurityEvent[] } {
  const events = createEvents();
  const all: SecurityEvent[] = [];
  events.on('*', (event) => void all.push(event));
  return Object.assign(events, { all });
}

/** An app behind one proxy of ours (the test client), which names the client's address. */
export function appOf(
  express: ExpressLike,
  limits: readonly Partial<RateLimitOptions>[],
  before: (app: Express) => void = () => undefined,
): Express {
  const app = express();
  app.set('trust proxy', 1);
  app.use(context({ trustProxy: 1 }), express.json());
  before(app);
  for (const limit of limits) app.use(rateLimit({ name: 'test', limit: 3, window: '1m', ...limit }));
  app.all('/status/:code', (req, res) => void res.status(Number(req.params['code'])).send('done'));
  app.use((_req: Request, res: Response) => void res.send('through'));
  return problems(app);
}

/** Renders errors as the app's own handler would: code, status and the refusal's headers. */
export function problems(app: Express): Express {
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const { code, status = 500, message, headers = {} } = error as Record<string, never>;
    res.status(status).set(headers).json({ code, message });
  });
  return app;
}
