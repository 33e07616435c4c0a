import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { context } from '@portcullis/core';
import type { RateLimitMiddleware } from '@portcullis/rate-limit';

type Handler = (req: never, res: never, next: (error?: unknown) => void) => unknown;

const identify = context({ trustProxy: false }) as unknown as Handler;

/** A request from this address that no network carries: whether the middleware lets it pass, without the cost of HTTP. */
export async function admits(limit: RateLimitMiddleware, ip = '203.0.113.9'): Promise<boolean> {
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: ip });
  const req = Object.assign(new IncomingMessage(socket), { method: 'GET', url: '/' });
  const res = Object.assign(new ServerResponse(req), { locals: {} });
  for (const handler of [identify, limit as unknown as Handler]) {
    const error = await new Promise((resolve) => {
      void handler(req as never, res as never, resolve);
    });
    if (error === undefined) continue;
    if ((error as { status?: number }).status === 429) return false;
    throw error as Error;
  }
  return true;
}
