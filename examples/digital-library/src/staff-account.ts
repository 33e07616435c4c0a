import { emailLogin } from '@portcullis/auth';
import { randomBytes } from 'node:crypto';
import type { House } from './house.js';

export interface StaffAccount {
  readonly email: string;
  /** Generated; not stored in clear anywhere. */
  readonly password: string;
  readonly added: boolean;
}

/** No staff account was made, and why. */
export class StaffAccountRefused extends Error {
  readonly code = 'E_STAFF_ACCOUNT_REFUSED';
}

/** 144 bits, in letters, digits, `-` and `_`. */
export function generatePassword(): string {
  return randomBytes(18).toString('base64url');
}

/**
 * Adds a staff account, or gives an existing one a new password and the staff role; its sessions end. Recorded before
 * it is done.
 * @throws StaffAccountRefused for what is no e-mail address, and for a closed account
 */
export async function makeStaff(house: House, typed: string): Promise<StaffAccount> {
  const { auth, audit, people, rbac } = house;
  const email = emailLogin(typed);
  if (email === undefined) throw new StaffAccountRefused(`"${typed}" is no e-mail address.`);
  const password = generatePassword();
  const known = await people.findByLogin(email);
  if (known?.active === false) throw new StaffAccountRefused(`The account ${email} is closed.`);
  if (known) {
    const target = { type: 'person', id: known.id };
    await audit.record({ action: 'person.password-reset', outcome: 'success', actor: 'system', target });
    const passwordHash = await auth.passwords.hash(password);
    const saved = await people.saveCredential(known.id, {
      passwordHash,
      replaces: known.passwordHash ?? null,
    });
    if (!saved)
      throw new StaffAccountRefused(
        `The password of ${email} was changed by somebody else just now. Try again.`,
      );
    await auth.sessions.revokeAll(known.id, 'password-changed');
  }
  if (!known)
    await audit.record({ action: 'person.registration-requested', outcome: 'success', actor: 'system' });
  const id = known?.id ?? (await auth.register({ login: email, password }, { address: undefined })).userId;
  const target = { type: 'person', id };
  if (!known)
    await audit.record({ action: 'person.registered', outcome: 'success', actor: 'system', target });
  await audit.record({
    action: 'role.granted',
    outcome: 'success',
    actor: 'system',
    target,
    data: { role: 'staff' },
  });
  await rbac.grantRole('system', id, 'staff', { reason: 'staff command' });
  return { email, password, added: known === undefined };
}
