import type { Grantable } from './permissions.js';

/** A role as it is written in code. */
export interface RoleDefinition<Name extends string = string, Role extends string = string> {
  /** For people; up to 1,000 characters. @default '' */
  readonly description?: string;
  /** @default true */
  readonly active?: boolean;
  /** Roles whose allowances and denials this one has too. @default none */
  readonly inherits?: readonly Role[];
  /** Names or patterns: `*` is one whole segment, `**` the rest. `['**']` is a superuser, still subject to denials. */
  readonly allow?: readonly Grantable<Name>[];
  /** Overrides every allowance, from wherever it comes. */
  readonly deny?: readonly Grantable<Name>[];
}

export type RoleDefinitions<Name extends string = string, Role extends string = string> = {
  readonly [R in Role]: RoleDefinition<NoInfer<Name>, NoInfer<Role>>;
};
