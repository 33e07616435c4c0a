import { createHash } from 'node:crypto';
import { option, readOptions, within } from '@portcullis/core';

/** Knows passwords from breaches. `pwnedPasswords()` is one; a list of your own is another. */
export interface BreachedPasswords {
  /** May reject: what happens then is the policy's `onOutage`. */
  includes(password: string): Promise<boolean>;
}

export interface PwnedPasswordsOptions {
  /** Where ranges are asked for; the first five digits of the SHA-1 follow. @default 'https://api.pwnedpasswords.com/range/' */
  readonly url?: string;
  /** Times a password must have been seen to count, 1 to 1,000,000. @default 1 */
  readonly minCount?: number;
  /** 100 ms to 30 s. @default '2s' */
  readonly timeout?: number | `${number}${'ms' | 's'}`;
  /** @default the global `fetch` */
  readonly fetch?: (
    url: string,
    init: { headers: Record<string, string>; signal: AbortSignal; redirect: 'error' },
  ) => Promise<{
    readonly ok: boolean;
    text(): Promise<string>;
  }>;
}

const MAX_ANSWER = 1_048_576;

/**
 * Have I Been Pwned's Pwned Passwords, by k-anonymity: only the first 20 bits of the password's SHA-1 leave the process,
 * the answer is padded so that its size says nothing, and the comparison is made here.
 * @see https://haveibeenpwned.com/API/v3#PwnedPasswords
 * @throws OptionError
 */
export function pwnedPasswords(options: PwnedPasswordsOptions = {}): BreachedPasswords {
  const { url, minCount, timeout, fetch } = readOptions('pwnedPasswords', options, {
    url: option.string({
      pattern: /^https:\/\/[^\s?#]+\/$/,
      default: 'https://api.pwnedpasswords.com/range/',
    }),
    minCount: option.integer({ min: 1, max: 1_000_000, default: 1 }),
    timeout: option.duration({ minMs: 100, maxMs: 30_000, default: '2s' }),
    fetch: option.fn<NonNullable<PwnedPasswordsOptions['fetch']>>((address, init) =>
      globalThis.fetch(address, init),
    ),
  });

  async function range(prefix: string): Promise<string> {
    const abort = new AbortController();
    const late = () => {
      abort.abort();
      return new Error('The list of breached passwords did not answer in time.');
    };
    const ask = async (): Promise<string> => {
      const headers = { 'Add-Padding': 'true' };
      const answer = await fetch(url + prefix, { headers, signal: abort.signal, redirect: 'error' });
      if (!answer.ok) throw new Error('The list of breached passwords refused to answer.');
      return answer.text();
    };
    const text = await within(ask(), timeout, late);
    if (text.length > MAX_ANSWER || !/^(?:[0-9A-F]{35}:\d+\s*)+$/i.test(text))
      throw new Error('The list of breached passwords answered something else.');
    return text.toUpperCase();
  }

  return {
    async includes(password) {
      const digest = createHash('sha1').update(password).digest('hex').toUpperCase();
      const suffix = digest.slice(5);
      const line = (await range(digest.slice(0, 5))).split(/\s+/).find((one) => one.startsWith(suffix));
      // Padding lines have a count of 0.
      return Number(line?.slice(36) ?? 0) >= minCount;
    },
  };
}
