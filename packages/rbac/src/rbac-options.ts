import {
  noEvents,
  option,
  OptionError,
  readOptions,
  systemClock,
  systemRandom,
  type Clock,
  type Events,
  type Freshness,
  type KeyValueStore,
  type Random,
} from '@portcullis/core';
import type { Duty } from './duties.js';
import type { GovernanceStore } from './governance-store.js';
import type { Permissions } from './permissions.js';
import type { PrincipalOf, RbacOptions } from './rbac.js';
import type { RoleDefinitions } from './role-definition.js';
import type { RoleStore } from './role-store.js';

/** The options of createRbac(), read: with defaults, and times in milliseconds. */
export type RbacSettings<Name extends string = string, Role extends string = string> = ReturnType<
  typeof readRbacOptions<Name, Role>
>;

/** @throws OptionError */
export function readRbacOptions<Name extends string, Role extends string>(options: RbacOptions<Name, Role>) {
  return readOptions('createRbac', options, {
    permissions: option.port<Permissions<Name>>(['has', 'indexOf']),
    store: option.port<RoleStore>(['load', 'commit']),
    roles: option.optional((value) => value as RoleDefinitions<Name, Role>),
    freshness: option.optional(option.port<Freshness>(['current', 'ensure', 'changedAt', 'onChanges'])),
    principal: option.optional(option.fn<PrincipalOf>()),
    rolesFrom: option.oneOf(['store', 'principal'], 'store'),
    onStoreDown: readOnStoreDown,
    l2: option.optional(
      option.group({
        store: option.port<KeyValueStore>(['get', 'set']),
        secret: option.secret({ minBytes: 32 }),
        ttlMs: option.duration({ minMs: 1000, maxMs: 3_600_000, default: '30s' }),
      }),
    ),
    duties: option.optional((value) => value as readonly Duty[]),
    activations: option.optional(option.port<KeyValueStore>(['get', 'swap', 'delete'])),
    governance: option.optional(option.port<GovernanceStore>(['putReview', 'review', 'noteUses', 'uses'])),
    lastSeen: option.optional(
      option.fn<(userIds: readonly string[]) => Promise<ReadonlyMap<string, number>>>(),
    ),
    breakGlass: option.optional(
      option.group({
        role: option.string({ max: 100 }),
        maxMs: option.duration({ minMs: 60_000, maxMs: 86_400_000, default: '1h' }),
      }),
    ),
    deadlineMs: option.duration({ minMs: 10, maxMs: 60_000, default: 1_000 }),
    writeDeadlineMs: option.duration({ minMs: 10, maxMs: 600_000, default: 5_000 }),
    maxUsers: option.integer({ min: 1, max: 10_000_000, default: 100_000 }),
    enforce: option.boolean(true),
    challenge: option.string({ max: 200, pattern: /^[\x20-\x7e]+$/, default: 'Bearer' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
}

function readOnStoreDown(value: unknown, owner: string, path: string): number {
  if (value === undefined || value === 'deny') return 0;
  if (typeof value !== 'object' || value === null) {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be "deny" or { graceMs }`);
  }
  return readOptions(owner, value, { graceMs: option.duration({ minMs: 1, maxMs: 3_600_000 }) }, path)
    .graceMs;
}
