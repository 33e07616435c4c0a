import { context, createMemoryStore, isSecurityError, parseAddress } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import type { ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { createAuth, generateKeys, type AuthOptions } from '../../src/index.js';
import { mailbox, memoryUsers, testHasher } from '../../src/testing.js';

export const keys = generateKeys();
export const password = 'kestrel bakes ochre bread';
export const ada = { login: 'ada@library.example', password };
/** 32 bytes that seal the secrets of second factors. */
export const factorKeys = [{ id: 'a', key: Buffer.alloc(32, 7).toString('base64url') }];
export const from = { address: parseAddress('192.0.2.1') };

/** Everything in memory, on a clock that stands still. */
export function authKit(options: Partial<AuthOptions> = {}) {
  const clock = manualClock({ now: 1_800_000_000_000 });
  const events = recordedEvents({ clock });
  const users = memoryUsers();
  const auth = createAuth({
    issuer: 'https://library.example',
    audience: 'https://library.example',
    keys,
    users,
    store: createMemoryStore({ clock }),
    passwords: { hash: testHasher(), accept: [] },
    clock,
    events,
    ...options,
  });
  return { auth, clock, events, users };
}
export type AuthKit = ReturnType<typeof authKit>;

/** With a mailbox: registration and resets go by mail, unless they are told otherwise. */
export function mailKit(options: Partial<AuthOptions> = {}) {
  const mail = mailbox();
  return { ...authKit({ notify: mail.notify, ...options }), mail };
}

/** The routes under `/auth` and those of the test; an error is answered with its status, headers, code and problem. */
export function serve(
  express: ExpressLike,
  { auth, clock }: Pick<AuthKit, 'auth' | 'clock'>,
  routes: (app: ReturnType<ExpressLike>) => void = () => undefined,
): ReturnType<ExpressLike> {
  const app = express();
  app.use(context({ trustProxy: false, clock }), express.json(), auth.authenticate());
  app.use('/auth', auth.router());
  routes(app);
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const { status, headers, problem, code, message } = isSecurityError(error)
      ? error
      : { status: 500, headers: {}, problem: {}, code: 'UNEXPECTED', message: String(error) };
    res
      .status(status)
      .set(headers)
      .json({ code, message, ...problem });
  });
  return app;
}
