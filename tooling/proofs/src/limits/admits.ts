import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { context } from '@portcullis/core';
import type { RateLimitMiddleware } from '@portcullis/rate-limit';

export type Handler = (req: never, res: never, next: (error?: unknown) => void) => unknown;

/** As much of an app as express-rate-limit looks at. */
const app = { get: () => false };

const identify = context({ trustProxy: false }) as unknown as Handler;

/** A request from this address that no network carries: whether the middleware lets it pass, without the cost of HTTP. */
export async function admits(limit: RateLimitMiddleware, ip = '203.0.113.9'): Promise<boolean> {
  return ask([limit as unknown as Handler], ip);
}

/** The same for any middleware: false if it answers, or fails, with 429. Other failures reject. */
export async function ask(handlers: readonly Handler[], ip: string): Promise<boolean> {
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: ip });
  const req = Object.assign(new IncomingMessage(socket), { method: 'GET', url: '/', ip, app });
  let answered: (() => void) | undefined;
  const send = (): void => answered!();
  const res = Object.assign(new ServerResponse(req), {
    locals: {},
    send,
    status: (code: number) => Object.assign(res, { statusCode: code }),
  });
  for (const handler of [identify, ...handlers]) {
    const error = await new Promise((resolve, reject) => {
      answered = () => resolve({ status: res.statusCode });
      Promise.resolve(handler(req as never, res as never, resolve)).catch(reject);
    });
    if (error === undefined) continue;
    if ((error as { status?: number }).status === 429) return false;
    throw error as Error;
  }
  return true;
}
