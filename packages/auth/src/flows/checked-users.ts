import { answered } from '../checked-store.js';
import { errors } from '../error-codes.js';
import type { PasskeyPort } from '../passkeys/passkey-port.js';
import type { AuthUser, UserPort } from '../users.js';

/**
 * The app's port with its faults made ours: whatever it throws is a 503, and so is no answer; one that is no account is not taken
 * for one. Keeps `create` absent where it is absent.
 */
export function checkedUsers(port: UserPort): UserPort {
  const call: Call = (name, run) =>
    answered(run, (cause) => errors.E_USERS_UNAVAILABLE({ cause, details: { call: name } }));
  const account = async (name: string, run: () => Promise<AuthUser | null | undefined>) => {
    const user = await call(name, run);
    if (user === null || user === undefined) return undefined;
    const { id, login, active } = user;
    if (typeof id !== 'string' || id === '' || typeof login !== 'string' || typeof active !== 'boolean') {
      throw errors.E_USERS_UNAVAILABLE({
        details: { call: name, problem: 'needs string id and login, boolean active' },
      });
    }
    return user;
  };
  /** An app in JavaScript may return a count or nothing: only `true` says that it was written. */
  const yes = async (name: string, run: () => Promise<unknown>) => (await call(name, run)) === true;
  return {
    findByLogin: (login) => account('findByLogin', () => port.findByLogin(login)),
    findById: (id) => account('findById', () => port.findById(id)),
    saveCredential: (id, credential) => yes('saveCredential', () => port.saveCredential(id, credential)),
    ...(port.deactivate ? { deactivate: (id) => yes('deactivate', () => port.deactivate!(id)) } : {}),
    ...(port.create ? { create: (fresh) => account('create', () => port.create!(fresh)) } : {}),
    ...(port.markVerified
      ? { markVerified: (id, login) => yes('markVerified', () => port.markVerified!(id, login)) }
      : {}),
    ...(port.saveFactors
      ? { saveFactors: (id, change) => yes('saveFactors', () => port.saveFactors!(id, change)) }
      : {}),
    ...(port.passkeys ? { passkeys: checkedPasskeys(port.passkeys, call) } : {}),
    ...(port.changeLogin
      ? { changeLogin: (id, change) => yes('changeLogin', () => port.changeLogin!(id, change)) }
      : {}),
  };
}

type Call = <T>(name: string, run: () => Promise<T>) => Promise<T>;

function checkedPasskeys(port: PasskeyPort, call: Call): PasskeyPort {
  const yes = async (name: string, run: () => Promise<unknown>) => (await call(name, run)) === true;
  return {
    find: (id) => call('passkeys.find', () => port.find(id)),
    list: (userId) => call('passkeys.list', () => port.list(userId)),
    add: (passkey, max) => call('passkeys.add', () => port.add(passkey, max)),
    use: (id, use) => yes('passkeys.use', () => port.use(id, use)),
    rename: (userId, id, name) => yes('passkeys.rename', () => port.rename(userId, id, name)),
    remove: (userId, id, options) => yes('passkeys.remove', () => port.remove(userId, id, options)),
  };
}
