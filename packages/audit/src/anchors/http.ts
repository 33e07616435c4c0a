import { OptionError, parseUrl, type OptionReader } from '@portcullis/core';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** An https URL; http for this machine only. Without user, query and fragment, and without a slash at the end. */
export const urlOption: OptionReader<string> = (value, owner, path) => {
  const url = typeof value === 'string' ? parseUrl(value) : undefined;
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
  if (!url || !secure || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} must be an https URL (http on loopback only)`,
    );
  }
  return url.href.replace(/\/$/, '');
};

/** An answer that is not what was hoped for; the code says which. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  readonly code: string;
  constructor(status: number) {
    super(`The server answered ${status}.`);
    this.code = `HTTP_${status}`;
  }
}

/** @throws TypeError if there is no answer within 10 seconds */
export function request(url: string, init: RequestInit): Promise<Response> {
  return fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(10_000) });
}
