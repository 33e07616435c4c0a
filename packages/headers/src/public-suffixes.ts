import { getPublicSuffix } from 'tldts';

/**
 * True for a domain under which strangers register names, so that a pattern of its subdomains lets everybody in: `com`, `co.uk`,
 * `github.io`. By the Public Suffix List with its private part; a single label is always one, except `localhost`, below which all
 * names are this machine (RFC 6761).
 */
export function isPublicSuffix(host: string): boolean {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  if (name === 'localhost') return false;
  return getPublicSuffix(name, { allowPrivateDomains: true, validateHostname: false }) === name;
}
