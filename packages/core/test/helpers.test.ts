import { describe, expect, test } from '@jest/globals';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { appendVary, ensureContext, isKnownSecure, within, type SecurityRequest } from '../src/index.js';

describe('within', () => {
  const late = () => new Error('late');
  const never = new Promise<never>(() => undefined);

  test('answers as the promise does', async () => {
    await expect(within(Promise.resolve(1), 1000, late)).resolves.toBe(1);
    await expect(within(Promise.reject(new Error('own')), 1000, late)).rejects.toThrow('own');
  });

  test('rejects with what late() makes once the time has passed, or at once when the caller gives up', async () => {
    await expect(within(never, 5, late)).rejects.toThrow('late');
    const given = new AbortController();
    const waiting = within(never, 60_000, late, { signal: given.signal });
    given.abort();
    await expect(waiting).rejects.toThrow('late');
    await expect(within(never, 60_000, late, { signal: given.signal })).rejects.toThrow('late');
  });

  test('a rejection that comes too late is handled', async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', listen);
    let fail = (_error: Error): void => undefined;
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    await expect(within(work, 1, late)).rejects.toThrow('late');
    fail(new Error('afterwards'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });

  test('an answer that lies in the queue when the process wakes from a stall is not late', async () => {
    const answer = new Promise((resolve) => setImmediate(resolve, 'in time'));
    const waiting = within(answer, 5, late);
    const until = performance.now() + 20;
    while (performance.now() < until); // The stall: both the timer and the answer are due afterwards.
    await expect(waiting).resolves.toBe('in time');
  });
});

describe('appendVary', () => {
  test.each<[string | undefined, readonly string[], string]>([
    [undefined, ['Origin', 'Accept'], 'Origin, Accept'],
    ['Origin', ['Accept'], 'Origin, Accept'],
    ['origin, Accept', ['Origin', 'accept'], 'origin, Accept'],
    ['*', ['Origin'], '*'],
  ])('%j and %j make %j', (present, names, expected) => {
    const res = new ServerResponse(new IncomingMessage(new Socket()));
    if (present !== undefined) res.setHeader('Vary', present);
    appendVary(res, names);
    expect(res.getHeader('Vary')).toBe(expected);
  });
});

test('a connection is known to be TLS by its own socket or by what context() says, else it is not', () => {
  const bare = { headers: {}, socket: {} } as unknown as SecurityRequest;
  expect(isKnownSecure(bare)).toBe(false);
  ensureContext(bare); // Without context() before it the record throws when asked: nothing is known.
  expect(isKnownSecure(bare)).toBe(false);
  expect(isKnownSecure({ ...bare, security: { secure: true } } as never)).toBe(true);
  expect(isKnownSecure({ headers: {}, socket: { encrypted: true } } as never)).toBe(true);
});
