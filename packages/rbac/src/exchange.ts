import type { SecurityRequest, SecurityResponse } from '@portcullis/core';

/** Segments of the path below where the middleware is mounted, decoded; undefined for what is no path. */
export function segmentsOf(req: SecurityRequest): readonly string[] | undefined {
  const path = (req.url ?? '/').split('?', 1)[0]!;
  try {
    return path
      .split('/')
      .slice(1)
      .filter((part, i, all) => part !== '' || i < all.length - 1)
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

export function answerJson(req: SecurityRequest, res: SecurityResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(text),
  });
  res.end(req.method === 'HEAD' ? undefined : text);
}

/** What a body parser made of the body; undefined if it is no object. */
export function bodyOf({ body }: SecurityRequest): Readonly<Record<string, unknown>> | undefined {
  return typeof body === 'object' && body !== null && !Array.isArray(body)
    ? (body as Readonly<Record<string, unknown>>)
    : undefined;
}
