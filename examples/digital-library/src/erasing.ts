import type { House } from './house.js';
import type { roles } from './permissions.js';

/**
 * Forgets a person: nobody gets in any more first, then what is kept of them beside the log, then the account itself. If it breaks off, it can be
 * done again: the account goes last.
 */
export async function erase({ auth, audit, rbac, people }: House, id: string): Promise<void> {
  await auth.deactivate(id);
  for (const { role } of await rbac.rolesOf(id)) {
    // Roles that were made since the release have names as well.
    await rbac.revokeRole('system', id, role as keyof typeof roles);
  }
  await audit.erase(id);
  await people.remove(id);
}
