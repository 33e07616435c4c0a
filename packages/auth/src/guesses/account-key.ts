import { createHash } from 'node:crypto';

/** One name for an account in counters and events that does not show the e-mail address at a glance. */
export function accountKey(login: string): string {
  return createHash('sha256').update(`portcullis login\0${login}`).digest('base64url').slice(0, 22);
}
