import {
  isLoopbackHost,
  noEvents,
  option,
  OptionError,
  parseOrigin,
  readOptions,
  type Events,
  type OptionReader,
} from '@portcullis/core';
import { judgeTarget, type AllowedOrigins, type RedirectVerdict } from './judge-target.js';

export interface RedirectOptions {
  /**
   * Other origins that a target may lead to, such as `https://shop.example`, or all subdomains of a name with at least
   * two labels, `https://*.shop.example`. `http:` is for loopback only. At most 1,000.
   * @default [] (paths of this site only)
   */
  readonly allow?: readonly string[];
  /** Where to go instead; itself a path of this site or an allowed URL. @default '/' */
  readonly fallback?: string;
  /**
   * Path of this site that relative targets (`edit`, `../x`, `?page=2`) are resolved against.
   * @default none: they are refused
   */
  readonly base?: string;
  readonly events?: Events;
}

export interface Redirects {
  /** The target in its one safe spelling, or the fallback. Never throws, whatever it is given. */
  to(target: unknown): string;
  /** The same as a value with its reason, for forms that want to say what is wrong. */
  judge(target: unknown): RedirectVerdict;
  readonly fallback: string;
}

declare module '@portcullis/core' {
  interface SecurityEvents {
    /** A redirect target led elsewhere, or could be read as leading elsewhere; the fallback was taken. */
    'redirect.refused': { readonly reason: string };
  }
}

/**
 * Decides where `?next=` may lead (CWE-601): paths of this site, and listed origins. Options are checked when this is
 * called; see {@link safeRedirect} for a single use.
 * @throws OptionError
 * @see OWASP ASVS 5.0 V3.7.2
 */
export function createRedirects(options: RedirectOptions = {}): Redirects {
  const { allow, fallback, base, events } = readOptions('redirects', options, {
    allow: option.array(readAllowed, { max: 1000, default: [] }),
    fallback: option.string({ max: 2048, default: '/' }),
    base: option.optional(option.string({ max: 2048, pattern: /^\// })),
    events: option.port<Events>(['emit'], noEvents),
  });
  const origins: AllowedOrigins = {
    exact: new Set(allow.filter(({ subdomains }) => !subdomains).map(({ scheme, rest }) => scheme + rest)),
    subdomains: allow.filter(({ subdomains }) => subdomains),
  };
  const judge = (target: unknown, from = base): RedirectVerdict => judgeTarget(target, origins, from);
  for (const [name, value] of Object.entries({ fallback, ...(base === undefined ? {} : { base }) })) {
    const verdict = judge(value, undefined);
    if (verdict.allowed) continue;
    const problem = `${name} must itself be a safe target (${verdict.reason})`;
    throw new OptionError('E_OPTION_VALUE', 'redirects', name, problem);
  }
  return {
    fallback,
    judge: (target) => judge(target),
    to(target) {
      const verdict = judge(target);
      if (verdict.allowed) return verdict.location;
      // Nothing asked for is no attempt.
      if (verdict.reason !== 'absent') events.emit({ type: 'redirect.refused', reason: verdict.reason });
      return fallback;
    },
  };
}

/**
 * `res.redirect(303, safeRedirect(req.query.next))`: the target if it is a path of this site or leads to one of
 * `allow`, else `fallback`. Where it is used often, make a {@link createRedirects} once.
 * @throws OptionError for wrong options; never for a target
 */
export function safeRedirect(target: unknown, options: RedirectOptions = {}): string {
  return createRedirects(options).to(target);
}

interface Allowed {
  readonly scheme: 'https://' | 'http://';
  /** Host and port; without the `*` of a pattern: `.shop.example:8443`. */
  readonly rest: string;
  readonly subdomains: boolean;
}

const readAllowed: OptionReader<Allowed> = (value, owner, path) => {
  const text = option.string({ max: 300 })(value, owner, path);
  const wrong = (problem: string): never => {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} ${problem}`);
  };
  const subdomains = /^https?:\/\/\*\./.test(text);
  const origin = parseOrigin(subdomains ? text.replace('*.', '') : text);
  if (!origin || (origin.scheme !== 'https' && origin.scheme !== 'http')) {
    return wrong('must be an origin such as "https://shop.example", without a path');
  }
  if (origin.scheme === 'http' && !isLoopbackHost(origin.host)) {
    return wrong('must be https; http is for loopback only');
  }
  if (subdomains && (origin.kind !== 'name' || !origin.host.includes('.'))) {
    return wrong('is too wide: the name after "*." needs at least two labels');
  }
  const scheme = `${origin.scheme}://` as const;
  const rest = (subdomains ? '.' : '') + origin.text.slice(scheme.length);
  return { scheme, rest, subdomains };
};
