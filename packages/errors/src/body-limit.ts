import type { IncomingMessage } from 'node:http';

/**
 * Calls `exceeded` as soon as it is known that the body is larger than `limit` bytes, as they arrive: before the app for a
 * `Content-Length` that says so, in the middle of a chunked body. From then on the app gets nothing more of it, its end neither:
 * a body that was cut must not pass for a whole one. Returns false if the request is refused right away.
 */
export function limitBody(req: IncomingMessage, limit: number, exceeded: () => void): boolean {
  const length = req.headers['content-length'];
  if (length !== undefined) {
    // Node's parser holds a body to the length that it claims.
    if (Number(length) <= limit) return true;
    exceeded();
    return false;
  }
  if (req.headers['transfer-encoding'] === undefined) return true;
  const push = req.push.bind(req);
  let received = 0;
  let over = false;
  req.push = (chunk: Buffer | string | null, encoding?: BufferEncoding): boolean => {
    if (over) return true;
    if (chunk !== null) received += chunk.length;
    if (received <= limit) return push(chunk, encoding);
    over = true;
    exceeded();
    return true;
  };
  return true;
}
