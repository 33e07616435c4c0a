import type { SignedIn } from '@portcullis/auth';
import type { Request, Response } from 'express';
import type { House } from './house.js';

/** Whoever has shown who they are: recorded, given the cookies of the session and a new token for forms. */
export async function enter(
  { auth, audit, formToken }: House,
  req: Request,
  res: Response,
  pair: SignedIn,
): Promise<void> {
  await audit.record({
    action: 'person.signed-in',
    outcome: 'success',
    actor: { kind: 'user', id: pair.userId },
    target: { type: 'person', id: pair.userId },
    request: req,
  });
  auth.cookies.write(res, pair);
  formToken.rotate(req, res);
}
