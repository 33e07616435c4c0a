import type { Auth } from '../auth.js';
import { inProduction } from '../environment.js';
import type { TokenPair } from '../sessions/sessions.js';

export interface SignedInUser {
  readonly pair: TokenPair;
  /** For `request(app).get('/me').set(user.headers)` or `fetch(url, { headers })`. */
  readonly headers: { readonly authorization: string };
}

/**
 * A real session of a user, without a password.
 * @throws Error in production
 */
export async function asUser(auth: Pick<Auth, 'sessions'>, userId: string): Promise<SignedInUser> {
  if (inProduction()) throw new Error('asUser() asks for no password: it is for tests only.');
  const epoch = await auth.sessions.epoch(userId);
  const pair = await auth.sessions.create({ userId, epoch });
  return { pair, headers: { authorization: `Bearer ${pair.accessToken}` } };
}
