import { nearest, OptionError, type OptionReader } from '@portcullis/core';
import { parseOriginPattern } from './origin-patterns.js';

/**
 * Denied to everybody by default: OWASP Secure Headers' list (2026-07) without the features that browsers have given up
 * since, plus newer ones that they know: an unknown name is a warning in every console. Passkeys stay possible for the own origin.
 */
const DEFAULTS = {
  accelerometer: [],
  autoplay: [],
  'browsing-topics': [],
  camera: [],
  'clipboard-read': [],
  'clipboard-write': [],
  'cross-origin-isolated': [],
  'display-capture': [],
  'encrypted-media': [],
  fullscreen: [],
  gamepad: [],
  geolocation: [],
  gyroscope: [],
  hid: [],
  'identity-credentials-get': [],
  'idle-detection': [],
  'keyboard-map': [],
  'local-fonts': [],
  magnetometer: [],
  microphone: [],
  midi: [],
  'otp-credentials': [],
  payment: [],
  'picture-in-picture': [],
  'publickey-credentials-create': ['self'],
  'publickey-credentials-get': ['self'],
  'screen-wake-lock': [],
  serial: [],
  'storage-access': [],
  'sync-xhr': ['self'],
  usb: [],
  'window-management': [],
  'xr-spatial-tracking': [],
} as const satisfies Record<string, readonly string[]>;

const FEATURES: readonly string[] = [
  ...Object.keys(DEFAULTS),
  'ambient-light-sensor',
  'attribution-reporting',
  'battery',
  'bluetooth',
  'compute-pressure',
  'execution-while-not-rendered',
  'execution-while-out-of-viewport',
  'interest-cohort',
  'navigation-override',
  'private-state-token-issuance',
  'private-state-token-redemption',
  'speaker-selection',
  'unload',
  'web-share',
];

export type PermissionsFeature =
  | keyof typeof DEFAULTS
  | 'ambient-light-sensor'
  | 'attribution-reporting'
  | 'battery'
  | 'bluetooth'
  | 'compute-pressure'
  | 'execution-while-not-rendered'
  | 'execution-while-out-of-viewport'
  | 'interest-cohort'
  | 'navigation-override'
  | 'private-state-token-issuance'
  | 'private-state-token-redemption'
  | 'speaker-selection'
  | 'unload'
  | 'web-share';

/** Who may use a browser feature: `[]` nobody, `['self']`, origins such as `'https://meet.example'`, or `'*'` everybody. */
export type PermissionsPolicy = { readonly [F in PermissionsFeature]?: readonly string[] | '*' };

/** Reads the option and renders the header; features not named keep their default. */
export const permissionsPolicyReader: OptionReader<string | false> = (value = {}, owner, path) => {
  if (value === false) return false;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be an object of features, or false`);
  }
  const policy = new Map<string, string>();
  for (const [feature, allowed] of Object.entries(DEFAULTS)) policy.set(feature, `(${allowed.join(' ')})`);
  for (const [feature, allowed] of Object.entries(value)) {
    const at = `${path}.${feature}`;
    if (!FEATURES.includes(feature)) {
      const near = nearest(feature, FEATURES);
      throw new OptionError(
        'E_OPTION_UNKNOWN',
        owner,
        at,
        `there is no browser feature "${feature}". ${near ? `Did you mean "${near}"?` : ''}`,
      );
    }
    policy.set(feature, allowList(allowed, owner, at));
  }
  return [...policy].map(([feature, allowed]) => `${feature}=${allowed}`).join(', ');
};

function allowList(value: unknown, owner: string, path: string): string {
  if (value === '*') return '*';
  if (!Array.isArray(value)) {
    throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be a list such as ['self'], or '*'`);
  }
  const entries = value.map((entry: unknown, i) => {
    if (entry === 'self') return 'self';
    if (typeof entry === 'string' && parseOriginPattern(entry)) return `"${entry}"`;
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      `${path}[${i}]`,
      `${path}[${i}] must be 'self' or an origin such as "https://meet.example"`,
    );
  });
  return `(${entries.join(' ')})`;
}
