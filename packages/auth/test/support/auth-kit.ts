import { context, createMemoryStore, isSecurityError, parseAddress } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import type { ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { createAuth, generateKeys, type AuthOptions, type UserPort } from '../../src/index.js';
import { mailbox, memoryUsers, testHasher, type MemoryUsers } from '../../src/testing.js';

export const keys = generateKeys();
export const password = 'kestrel bakes ochre bread';
export const ada = { login: 'ada@library.example', password };
/** 32 bytes that seal the secrets of second factors. */
export const factorKeys = [{ id: 'a', key: Buffer.alloc(32, 7).toString('base64url') }];
export const from = { address: parseAddress('192.0.2.1') };

/** For passkeys of https://library.example; they are loaded by who wants them. */
export const library = { rpId: 'library.example', rpName: 'Library', origins: ['https://library.example'] };

/** The code of an error, or `passed`. */
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'passed',
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

/** Everything in memory, on a clock that stands still. */
export function authKit<U extends UserPort = MemoryUsers>(
  options: Partial<AuthOptions> = {},
  users = memoryUsers() as UserPort as U,
) {
  const clock = manualClock({ now: 1_800_000_000_000 });
  const events = recordedEvents({ clock });
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
export function mailKit<U extends UserPort = MemoryUsers>(options: Partial<AuthOptions> = {}, users?: U) {
  const mail = mailbox();
  return { ...authKit({ notify: mail.notify, ...options }, users), mail };
}

/** The routes below `at` and those of the test; an error is answered as a problem document, with its status and headers. */
export function serve(
  express: ExpressLike,
  { auth, clock }: Pick<AuthKit, 'auth' | 'clock'>,
  routes: (app: ReturnType<ExpressLike>) => void = () => undefined,
  at = '/auth',
): ReturnType<ExpressLike> {
  const app = express();
  app.use(context({ trustProxy: false, clock }), express.json(), auth.authenticate());
  app.use(at, auth.router());
  routes(app);
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const { status, headers, problem, code, title, message } = isSecurityError(error)
      ? error
      : {
          status: 500,
          headers: {},
          problem: {},
          code: 'UNEXPECTED',
          title: 'Error',
          message: String(error),
        };
    res.status(status).set(headers).type('application/problem+json');
    res.send(JSON.stringify({ type: `urn:x:${code}`, title, status, code, message, ...problem }));
  });
  return app;
}
