import {
  noEvents,
  option,
  type readOptions,
  systemClock,
  type Clock,
  type Events,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { readBan } from './ban.js';
import { readHeaders } from './header-fields.js';
import type { LimitStore } from './limit-store.js';
import { readNetwork, type SharedLimitOptions } from './options.js';

/** How the options that all limits of a middleware share are read. */
export const sharedReaders = {
  store: option.optional(option.port<LimitStore>(['open'])),
  onStoreDown: option.oneOf(['local', 'refuse'], 'local'),
  onlyFailures: readOnlyFailures,
  ban: option.optional(readBan),
  allow: option.array(readNetwork, { default: [] }),
  skip: option.optional(option.fn<(req: SecurityRequest) => unknown>()),
  dryRun: option.boolean(false),
  headers: readHeaders,
  clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  events: option.port<Events>(['emit'], noEvents),
};

export type Settings = ReturnType<typeof readOptions<typeof sharedReaders>>;

/** Those of one limit, and those of the middleware. */
export function split(options: unknown): [own: unknown, shared: SharedLimitOptions] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return [options, {}];
  const own: Record<string, unknown> = {};
  const shared: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    (Object.hasOwn(sharedReaders, name) ? shared : own)[name] = value;
  }
  return [own, shared];
}

// What an app returns is only known to be declared boolean: exactly `false` is required.
export type FailureRule = (req: SecurityRequest, res: SecurityResponse) => unknown;

function readOnlyFailures(value: unknown, owner: string, path: string): boolean | FailureRule {
  return typeof value === 'function' ? (value as FailureRule) : option.boolean(false)(value, owner, path);
}
