import {
  nearest,
  option,
  OptionError,
  optionConflict,
  readOptions,
  type OptionReader,
} from '@portcullis/core';
import { NONCE_SOURCE, readSources } from './csp-sources.js';

const FETCH_DIRECTIVES = [
  'child-src',
  'connect-src',
  'default-src',
  'fenced-frame-src',
  'font-src',
  'frame-src',
  'img-src',
  'manifest-src',
  'media-src',
  'object-src',
  'script-src',
  'script-src-attr',
  'script-src-elem',
  'style-src',
  'style-src-attr',
  'style-src-elem',
  'worker-src',
] as const;
const OTHER_DIRECTIVES = [
  'base-uri',
  'form-action',
  'frame-ancestors',
  'report-to',
  'report-uri',
  'require-trusted-types-for',
  'sandbox',
  'trusted-types',
  'upgrade-insecure-requests',
] as const;
const DIRECTIVES: readonly string[] = [...FETCH_DIRECTIVES, ...OTHER_DIRECTIVES];

export type CspDirective = (typeof FETCH_DIRECTIVES)[number] | (typeof OTHER_DIRECTIVES)[number];

/**
 * Sources per directive, as in the header: `{ 'img-src': ["'self'", 'https://covers.example'] }`. `"'nonce'"` stands for the
 * nonce of the request. `true` is a directive without value, `false` leaves a default out.
 */
export type CspDirectives = { readonly [D in CspDirective]?: readonly string[] | boolean };

export interface CspOptions {
  /** Replace the profile's directives of the same name; the others stay. */
  readonly directives?: CspDirectives;
  /** A second policy that is only reported, never enforced: the enforced one with these directives replaced. */
  readonly reportOnly?: CspDirectives;
  /** `false` starts from nothing instead of the profile's policy; `default-src` is then required. @default true */
  readonly defaults?: boolean;
  /** Allow `'unsafe-inline'`, `'unsafe-eval'`, whole schemes and `*` for scripts, plugins and `base-uri`: each undoes the protection against XSS. @default false */
  readonly dangerouslyAllowUnsafeScripts?: boolean;
}

/** A checked policy: directive to sources; an empty list is a directive without value. */
export type CspPolicy = ReadonlyMap<string, readonly string[]>;

export interface CspPolicies {
  readonly enforced: CspPolicy;
  readonly reportOnly: CspPolicy | undefined;
}

const NONE = ["'none'"];
const SELF = ["'self'"];

/** Strict policies (nonce and 'strict-dynamic', no host lists for scripts), after W3C CSP3 section 8.1 and OWASP's CSP cheat sheet. */
const PROFILES = {
  web: {
    'default-src': NONE,
    'base-uri': NONE,
    'connect-src': SELF,
    'font-src': SELF,
    'form-action': SELF,
    'frame-ancestors': NONE,
    'img-src': ["'self'", 'data:'],
    'manifest-src': SELF,
    'media-src': SELF,
    'object-src': NONE,
    'script-src': [NONCE_SOURCE, "'strict-dynamic'"],
    'script-src-attr': NONE,
    'style-src': ["'self'", NONCE_SOURCE],
    'worker-src': SELF,
    'upgrade-insecure-requests': [],
  },
  // The sandbox is for data that a browser shows as a page after all: it gets an origin of its own, and runs nothing.
  api: {
    'default-src': NONE,
    'base-uri': NONE,
    'form-action': NONE,
    'frame-ancestors': NONE,
    sandbox: [],
  },
} as const satisfies Record<string, { readonly [D in CspDirective]?: readonly string[] }>;

/** Reads the `csp` option: `'self'` is exactly `default-src 'self'`, `false` sends no policy. */
export function cspReader(profile: keyof typeof PROFILES): OptionReader<CspPolicies | false> {
  return (value, owner, path) => {
    if (value === false) return false;
    if (value === 'self') return { enforced: new Map([['default-src', SELF]]), reportOnly: undefined };
    if (typeof value === 'string') {
      throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be 'self', false or an object`);
    }
    const read = readOptions(owner, value, cspReaders, path);
    const base = read.defaults
      ? new Map(Object.entries(PROFILES[profile]))
      : new Map<string, readonly string[]>();
    const enforced = merge(base, read.directives);
    if (!enforced.has('default-src')) {
      optionConflict(
        owner,
        `${path}.directives`,
        `${path} needs a default-src: without it, what is not listed is allowed`,
      );
    }
    if (!read.dangerouslyAllowUnsafeScripts) refuseUnsafeScripts(enforced, owner, path);
    return { enforced, reportOnly: read.reportOnly && reportable(merge(enforced, read.reportOnly)) };
  };
}

const cspReaders = {
  directives: directivesReader(),
  reportOnly: option.optional(directivesReader()),
  defaults: option.boolean(true),
  dangerouslyAllowUnsafeScripts: option.boolean(false),
};

type Given = ReadonlyMap<string, readonly string[] | false>;

function directivesReader(): OptionReader<Given> {
  return (value = {}, owner, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be an object of directives`);
    }
    return new Map(
      Object.entries(value).map(([name, sources]) => {
        const at = `${path}.${name}`;
        if (!DIRECTIVES.includes(name)) {
          const near = nearest(name, DIRECTIVES);
          const hint = near ? `Did you mean "${near}"?` : `Known: ${DIRECTIVES.join(', ')}.`;
          throw new OptionError(
            'E_OPTION_UNKNOWN',
            owner,
            at,
            `there is no CSP directive "${name}". ${hint}`,
          );
        }
        return [name, readSources(name, sources, owner, at)];
      }),
    );
  };
}

function merge(base: CspPolicy, given: Given): Map<string, readonly string[]> {
  const merged = new Map(base);
  for (const [name, sources] of given) {
    if (sources === false) merged.delete(name);
    else merged.set(name, sources);
  }
  return merged;
}

// Browsers ignore these two in a policy that is only reported, and say so in the console.
function reportable(policy: Map<string, readonly string[]>): CspPolicy {
  policy.delete('upgrade-insecure-requests');
  policy.delete('sandbox');
  return policy;
}

const SCRIPT_DIRECTIVES = ['script-src', 'script-src-elem', 'script-src-attr'];
/** An injected <base> moves scripts with relative addresses; plugins run on their own. */
const WAYS_AROUND = ['base-uri', 'object-src'];
const UNSAFE_FOR_SCRIPTS = new Set([
  "'unsafe-inline'",
  "'unsafe-eval'",
  '*',
  'http:',
  'https:',
  'http://*',
  'https://*',
  'data:',
  'blob:',
  'filesystem:',
]);

function refuseUnsafeScripts(policy: CspPolicy, owner: string, path: string): void {
  // Without script-src, default-src speaks for scripts (CSP3 section 6.8.3).
  const speaking = SCRIPT_DIRECTIVES.filter((name) => policy.has(name));
  if (!policy.has('script-src')) speaking.push('default-src');
  for (const name of [...speaking, ...WAYS_AROUND]) {
    refuseMutePolicy(policy.get(name), owner, `${path}.directives.${name}`);
    const unsafe = policy.get(name)?.find((source) => UNSAFE_FOR_SCRIPTS.has(source.toLowerCase()));
    if (unsafe === undefined) continue;
    const instead = WAYS_AROUND.includes(name) ? `"'none'" or hosts` : `"${NONCE_SOURCE}" or a hash`;
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      `${path}.directives.${name}`,
      `${unsafe} in ${name} lets injected scripts run. Use ${instead}; to insist, set dangerouslyAllowUnsafeScripts`,
    );
  }
}

// 'strict-dynamic' switches host lists off: without a nonce or hash no script could ever run (CSP3 section 8.2).
function refuseMutePolicy(sources: readonly string[] | undefined, owner: string, path: string): void {
  if (!sources?.some((source) => source.toLowerCase() === "'strict-dynamic'")) return;
  if (sources.some((source) => source === NONCE_SOURCE || /^'sha(?:256|384|512)-/i.test(source))) return;
  throw new OptionError(
    'E_OPTION_VALUE',
    owner,
    path,
    `${path} has 'strict-dynamic' and neither ${NONCE_SOURCE} nor a hash, so no script could run`,
  );
}
