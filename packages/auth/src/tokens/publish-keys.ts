import { ALLOW, guard, type Middleware, type SecurityResponse } from '@portcullis/core';
import type { Tokens } from './tokens.js';

const PATH = '/.well-known/jwks.json';

/**
 * Answers `GET /.well-known/jwks.json` with the public keys; everything else goes on to the app. Mount it at the root.
 */
export function publishKeys(tokens: Pick<Tokens, 'jwks'>): Middleware {
  // Not `public`: it says nothing about the routes behind it, which it lets through.
  return guard('publishKeys', { stage: 'posture', detail: 'publishes keys' }, (req, res) => {
    const isAsked = req.method === 'GET' || req.method === 'HEAD';
    if (!isAsked || (req.url ?? '').split('?', 1)[0] !== PATH) return ALLOW;
    answerKeys(tokens, res);
    return undefined;
  });
}

/** `rotateKeys()` announces a new key three times as long as others may remember the set. Node.js keeps the body from a HEAD. */
export function answerKeys(tokens: Pick<Tokens, 'jwks'>, res: SecurityResponse): void {
  res.setHeader('Cache-Control', 'public, max-age=300');
  res.setHeader('Content-Type', 'application/jwk-set+json');
  res.end(JSON.stringify(tokens.jwks()));
}
