import { domainToASCII } from 'node:url';

// RFC 5321 section 4.1.2 Dot-string; quoted local parts and comments exist on paper and in attacks.
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

/**
 * The one spelling of an e-mail address under which an account is found: lower case, the domain in ASCII. Undefined for
 * what is none, lists and quoted forms included, so that two spellings cannot be two accounts of one mailbox
 * (CVE-2019-19844, CVE-2022-35924). Local parts outside ASCII are not supported.
 */
export function emailLogin(typed: string): string | undefined {
  const text = typed.trim();
  if (text.length > 254) return undefined;
  const at = text.lastIndexOf('@');
  // Not NFKC on the local part: a homoglyph must not become somebody else's address.
  const local = text.slice(0, at).toLowerCase();
  const domain = domainToASCII(text.slice(at + 1));
  if (at < 1 || local.length > 64 || !LOCAL.test(local) || !DOMAIN.test(domain)) return undefined;
  // toLowerCase() turns the Kelvin sign into "k": what was not ASCII before must not become it.
  return /^[\x21-\x7e]+$/.test(text.slice(0, at)) ? `${local}@${domain}` : undefined;
}
