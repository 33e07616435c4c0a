import { optionConflict, parseOrigin } from '@portcullis/core';

const HOST = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Second levels under which countries register names: `co.uk`, `com.au`, `ac.jp`. */
const REGISTRY = /^(?:ac|co|com|edu|gob|gouv|gov|mil|net|ne|or|org)\.[a-z]{2}$/;

/** Registrable by strangers, as far as its form tells: the whole list is `publicSuffix`, for those who have it. */
export const formOfSuffix = (domain: string): string | null => {
  const labels = domain.split('.');
  const last = labels.slice(-2).join('.');
  return REGISTRY.test(last) ? last : (labels.at(-1) ?? null);
};

/**
 * What browsers ask of an RP id, at the start instead of at the first sign-in: it is a domain that somebody owns, and each origin
 * is https (or this machine) and on it or below it.
 * @see W3C WebAuthn Level 3 section 5.1.3 step 8, section 13.4.9
 * @throws OptionError
 */
export function assertRelyingParty(
  owner: string,
  { rpId, origins }: { readonly rpId: string; readonly origins: readonly string[] },
  publicSuffix: (domain: string) => string | null,
): void {
  const refuse = (path: string, problem: string): never => optionConflict(owner, path, `${path} ${problem}`);
  if (!HOST.test(rpId))
    refuse('rpId', `"${rpId}" is no domain in lower case, such as library.example: no scheme, no port`);
  if (/^[\d.]+$/.test(rpId)) refuse('rpId', 'is an address: passkeys belong to a domain (or localhost)');
  if (rpId !== 'localhost' && (!rpId.includes('.') || publicSuffix(rpId) === rpId))
    refuse('rpId', `"${rpId}" is a suffix under which others register. Take your own domain below it`);

  for (const [i, origin] of origins.entries()) {
    const path = `origins[${i}]`;
    const { scheme, host = '' } = parseOrigin(origin) ?? {};
    if (scheme !== 'https' && scheme !== 'http')
      refuse(path, `"${origin}" is no origin as browsers write it, such as https://library.example`);
    // Browsers let pages of this machine use passkeys without TLS.
    if (scheme === 'http' && host !== 'localhost' && !host.endsWith('.localhost'))
      refuse(path, `"${origin}" is not https, and not this machine`);
    if (host !== rpId && !host.endsWith(`.${rpId}`))
      refuse(
        path,
        `"${origin}" is neither on rpId "${rpId}" nor below it: no browser would use its passkeys there`,
      );
  }
}
