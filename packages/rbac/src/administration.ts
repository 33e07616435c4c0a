import type { Grantable } from './permissions.js';
import type { RoleDefinition, RoleDefinitions } from './role-definition.js';
import type { RoleAssignment, RoleRecord, UserRecord } from './role-store.js';

/** Who makes a change: an id, or anything that has one, such as a principal. */
export type Actor = string | { readonly id: string };

/** Which of a user's grants: each tenant has its own. */
export interface TenantOptions {
  /** Id of the tenant in which it counts; `*` is every one, and none. @default none; of denials `*` */
  readonly tenant?: string;
}

export interface GrantOptions extends TenantOptions {
  /** From when on it counts. Milliseconds since 1970, or a date. @default at once */
  readonly from?: number | Date;
  /** Until when it counts: at this moment it does no more. @default without end */
  readonly until?: number | Date;
  /** Why; up to 1,000 characters, kept with the grant. */
  readonly reason?: string;
}

export interface ChangeOptions {
  /** Resolve only when no process can still act on what was true before: one lease later. @default false */
  readonly strict?: boolean;
}

/** Revision of the change feed that made a write visible. */
export interface Written {
  readonly revision: number;
}

export interface SeedResult {
  readonly created: readonly string[];
  /** Present before, and as given. */
  readonly same: readonly string[];
  /** Present before, and different: left alone, or replaced with `overwrite`. */
  readonly different: readonly string[];
  /** Of the write; undefined if there was nothing to write. */
  readonly revision?: number;
}

/** Every write is validated, stored and published in one transaction, and counts here when it resolves. */
export interface Administration<Name extends string, Role extends string> {
  /** Gives a user a role; again replaces bounds and reason. @throws E_ROLE_UNKNOWN, E_GRANT_INVALID */
  grantRole(actor: Actor, userId: string, role: Role, options?: GrantOptions): Promise<Written>;
  /** Takes it away; no error if the user does not have it. @throws E_ROLE_UNKNOWN */
  revokeRole(
    actor: Actor,
    userId: string,
    role: Role,
    options?: TenantOptions & ChangeOptions,
  ): Promise<Written>;
  /** Grants a permission or pattern without a role. @throws E_PERMISSION_UNKNOWN, E_GRANT_INVALID */
  grantPermission(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: GrantOptions,
  ): Promise<Written>;
  /** Denies it, whatever else allows it. @throws E_PERMISSION_UNKNOWN, E_GRANT_INVALID */
  denyPermission(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: GrantOptions & ChangeOptions,
  ): Promise<Written>;
  /** Ends a direct grant. */
  revokePermission(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: TenantOptions & ChangeOptions,
  ): Promise<Written>;
  /** Ends a direct denial. */
  liftDenial(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: TenantOptions,
  ): Promise<Written>;
  /** Creates or replaces a role. @throws E_ROLE_INVALID, E_ROLE_UNKNOWN (parent), E_ROLE_CYCLE, E_PERMISSION_UNKNOWN */
  defineRole(
    actor: Actor,
    role: string,
    definition: RoleDefinition<Name>,
    options?: ChangeOptions,
  ): Promise<Written>;
  /** Replaces what a role allows and denies; the rest of it stays. */
  setRolePermissions(
    actor: Actor,
    role: Role,
    permissions: Pick<RoleDefinition<Name>, 'allow' | 'deny'>,
    options?: ChangeOptions,
  ): Promise<Written>;
  /** Switches a role on or off: off, it contributes nothing, not even what it inherits. */
  setRoleActive(actor: Actor, role: Role, active: boolean, options?: ChangeOptions): Promise<Written>;
  /** Deletes a role and ends its assignments. @throws E_ROLE_IN_USE if others inherit from it */
  removeRole(actor: Actor, role: Role, options?: ChangeOptions): Promise<Written>;
  /** Switches a user off (nothing is allowed) or on. */
  setUserActive(actor: Actor, userId: string, active: boolean, options?: ChangeOptions): Promise<Written>;
  /** Switches a declared permission off for everybody, or on. */
  setPermissionActive(
    actor: Actor,
    permission: Name,
    active: boolean,
    options?: ChangeOptions,
  ): Promise<Written>;
  /**
   * Writes the roles that are not there yet; call it at every start, in every process. Roles that are there stay as
   * administrators made them, unless `overwrite`.
   * @default the roles given to createRbac
   */
  seed(roles?: RoleDefinitions<Name>, options?: { readonly overwrite?: boolean }): Promise<SeedResult>;
  /** The user's assignments as stored, ended ones too. */
  rolesOf(userId: string): Promise<readonly RoleAssignment[]>;
  /** Everything stored about a user. */
  grantsOf(userId: string): Promise<UserRecord>;
  /** All roles as stored. */
  roles(): Promise<readonly RoleRecord[]>;
}
