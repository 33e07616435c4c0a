import { createAuth } from '../../src/index.js';
import { authenticate, register } from './authenticator.js';
import { ada, here, password, type World } from './refusing-world.js';

const fresh = 'plover sings at nine';
const elsewhere = 'lovelace@library.example';
type Drive = (world: World) => Promise<unknown>;

/** By route and code, what brings the refusal about. What every route has in common is below. */
export const drives: Readonly<Record<string, Readonly<Record<string, Drive>>>> = {
  'POST /register': {
    E_NOTIFICATIONS_BUSY: async (w) => (await w.mailFull(), w.call('POST /register', { login: elsewhere })),
  },
  'POST /register/complete': byLink('POST /register/complete', registrationLink, {
    E_ACCOUNT_EXISTS: async (w, token) => {
      await w.auth.register({ login: elsewhere, password }, here);
      await w.call('POST /register/complete', { token, password });
    },
  }),
  'POST /reset': {
    E_NOTIFICATIONS_BUSY: async (w) => (await w.mailFull(), w.call('POST /reset', { login: elsewhere })),
  },
  'POST /reset/complete': byLink('POST /reset/complete', async (w) => {
    await w.auth.startReset({ login: ada.login });
    return w.link('reset-password');
  }),
  'POST /login': {
    ...confirmedByPassword('POST /login', { login: elsewhere }),
    ...ownedWithoutPassword('POST /login', { login: elsewhere }),
    E_NOTIFICATIONS_BUSY: async (w) => {
      const token = await w.token();
      await w.mailFull();
      await w.call('POST /login', { login: elsewhere, password }, { token });
    },
  },
  'POST /login/complete': {
    E_LINK_INVALID: (w) => w.call('POST /login/complete', { token: 'none' }),
  },
  'POST /sign-in': {
    E_SIGN_IN_FAILED: (w) => w.call('POST /sign-in', { ...ada, password: 'wrong' }),
    E_SIGN_IN_LIMITED: async (w) => (await w.limited(), w.call('POST /sign-in', ada)),
    E_PASSWORD_BUSY: async (w) => (w.busy(), w.call('POST /sign-in', ada)),
    E_SECOND_FACTOR_REQUIRED: async (w) => (await w.totp(), w.call('POST /sign-in', ada)),
    E_FACTORS_UNREADABLE: async (w) => (await w.unreadable(), w.call('POST /sign-in', ada)),
  },
  'POST /sign-in/complete': {
    E_CHALLENGE_INVALID: (w) => w.call('POST /sign-in/complete', { challenge: 'none', code: '1' }),
    E_FACTOR_WRONG: async (w) =>
      w.call('POST /sign-in/complete', { challenge: await challenge(w), code: '1' }),
    E_SIGN_IN_LIMITED: async (w) => {
      const begun = await challenge(w);
      await w.limited();
      await w.call('POST /sign-in/complete', { challenge: begun, code: '1' });
    },
    E_FACTORS_UNREADABLE: async (w) => {
      const begun = await challenge(w);
      await w.unreadable();
      await w.call('POST /sign-in/complete', { challenge: begun, code: '1' });
    },
  },
  'POST /refresh': {
    E_TOKEN_REUSED: async (w) => {
      const { refreshToken } = await w.auth.signIn(ada, here);
      await w.auth.refresh(refreshToken);
      w.clock.advance('5m');
      await w.call('POST /refresh', { refresh_token: refreshToken });
    },
  },
  'POST /sign-out': {
    E_AUTHENTICATION_REQUIRED: (w) => w.call('POST /sign-out', { everywhere: true }),
    E_NOT_IN_PERSON: async (w) => w.call('POST /sign-out', { everywhere: true }, { token: await w.apiKey() }),
  },
  'POST /step-up': {
    ...confirmedByPassword('POST /step-up', {}),
    ...confirmedByCode('POST /step-up'),
  },
  'POST /password': {
    ...confirmedByPassword('POST /password', { newPassword: fresh }, 'currentPassword'),
    ...ownedWithoutPassword('POST /password', { newPassword: fresh }),
    E_PASSWORD_POLICY: async (w) =>
      w.call(
        'POST /password',
        { currentPassword: password, newPassword: 'short' },
        { token: await w.token() },
      ),
    E_PASSWORD_UNCHECKED: async (w) => {
      w.faults.breachList = true;
      const body = { currentPassword: password, newPassword: fresh };
      await w.call('POST /password', body, { token: await w.token() });
    },
  },
  'POST /totp': {
    ...confirmedByPassword('POST /totp', {}),
    ...confirmedByCode('POST /totp'),
    E_STEP_UP_REQUIRED: async (w) => {
      await w.passkey();
      await w.call('POST /totp', { password }, { token: await w.token() });
    },
  },
  'POST /totp/confirm': {
    E_LINK_INVALID: async (w) =>
      w.call('POST /totp/confirm', { token: 'none', code: '1' }, { token: await w.token() }),
    E_FACTOR_WRONG: async (w) => {
      const token = await w.token();
      const start = await w.auth.startTotp(await w.principal(token), { password }, here);
      await w.call('POST /totp/confirm', { token: start.token, code: '1' }, { token });
    },
    // Begun by a process whose key this one does not have.
    E_FACTORS_UNREADABLE: async (w) => {
      const token = await w.token();
      const other = { id: 'b', key: Buffer.alloc(32, 2).toString('base64url') };
      const auth = createAuth({ ...w.settings, factors: { keys: [other], issuer: 'Library' } });
      const start = await auth.startTotp(await w.principal(token), { password }, here);
      await w.call('POST /totp/confirm', { token: start.token, code: '1' }, { token });
    },
  },
  'POST /totp/remove': changesOfFactors('POST /totp/remove'),
  'POST /recovery-codes': changesOfFactors('POST /recovery-codes'),
  'POST /register/passkey/options': {
    E_LINK_INVALID: (w) => w.call('POST /register/passkey/options', { token: 'none' }),
    E_ACCOUNT_EXISTS: async (w) => {
      const token = await registrationLink(w);
      await w.auth.register({ login: elsewhere, password }, here);
      await w.call('POST /register/passkey/options', { token });
    },
  },
  'POST /register/passkey': {
    E_LINK_INVALID: (w) => endRegistration(w, { token: 'none' }),
    E_CHALLENGE_INVALID: (w) => endRegistration(w, { ceremony: 'none' }),
    E_PASSKEY_INVALID: (w) => endRegistration(w, {}, 'https://evil.example'),
    E_ACCOUNT_EXISTS: async (w) => {
      const end = await endOfRegistration(w);
      const { id } = (await w.users.findByLogin(elsewhere))!;
      await w.users.markVerified(id, elsewhere);
      await w.call('POST /register/passkey', end);
    },
  },
  'POST /passkeys/sign-in/options': {
    E_CHALLENGE_INVALID: (w) => w.call('POST /passkeys/sign-in/options', { challenge: 'none' }),
  },
  'POST /passkeys/sign-in': {
    ...shownPasskey('POST /passkeys/sign-in'),
    E_SECOND_FACTOR_REQUIRED: async (w) => {
      const credential = await w.passkey();
      await w.totp(await w.strong(credential));
      await show(w, 'POST /passkeys/sign-in', { userVerified: false }, credential);
    },
    E_FACTORS_UNREADABLE: async (w) => {
      const credential = await w.passkey();
      await w.unreadable();
      await show(w, 'POST /passkeys/sign-in', { userVerified: false }, credential);
    },
  },
  'POST /passkeys/step-up/options': {
    E_PASSKEY_NOT_FOUND: async (w) =>
      w.call('POST /passkeys/step-up/options', {}, { token: await w.token() }),
  },
  'POST /passkeys/step-up': shownPasskey('POST /passkeys/step-up'),
  'POST /passkeys/options': {
    ...ownPasskeys('POST /passkeys/options'),
    E_PASSKEY_LIMIT: async (w) => {
      const token = await twoPasskeys(w);
      await w.call('POST /passkeys/options', {}, { token });
    },
  },
  'POST /passkeys': {
    E_CHALLENGE_INVALID: async (w) => {
      const token = await w.token();
      const { ceremony: _its, ...begun } = await begin(w, token);
      await w.call('POST /passkeys', { ...begun, ceremony: 'none' }, { token });
    },
    E_PASSKEY_INVALID: async (w) => {
      const token = await w.token();
      await w.call('POST /passkeys', await begin(w, token, 'https://evil.example'), { token });
    },
    E_PASSKEY_LIMIT: async (w) => {
      const token = await w.strong(await w.passkey());
      const begun = await begin(w, token);
      await w.passkey({}, token);
      await w.call('POST /passkeys', begun, { token });
    },
  },
  'PATCH /passkeys/{id}': {
    ...ownPasskeys('PATCH /passkeys/{id}', { name: 'Ring' }),
    E_PASSKEY_NOT_FOUND: async (w) =>
      w.call('PATCH /passkeys/{id}', { name: 'Ring' }, { token: await w.token() }),
  },
  'DELETE /passkeys/{id}': {
    ...ownPasskeys('DELETE /passkeys/{id}'),
    E_PASSKEY_NOT_FOUND: async (w) => w.call('DELETE /passkeys/{id}', undefined, { token: await w.token() }),
    E_LAST_SIGN_IN: async (w) => {
      const credential = await w.passkey();
      w.users.put({ ...(await w.users.findById(w.userId))!, passwordHash: null });
      await w.call('DELETE /passkeys/{id}', undefined, {
        token: await w.strong(credential),
        id: credential.id,
      });
    },
  },
  'DELETE /sessions/{id}': {
    E_SESSION_NOT_FOUND: async (w) => w.call('DELETE /sessions/{id}', undefined, { token: await w.token() }),
  },
  'POST /keys': {
    E_API_KEY_LIMIT: async (w) => {
      await w.apiKey();
      await w.call('POST /keys', { name: 'Another', scopes: ['a:b'] }, { token: await w.token() });
    },
  },
  'DELETE /keys/{id}': {
    E_API_KEY_NOT_FOUND: async (w) => w.call('DELETE /keys/{id}', undefined, { token: await w.token() }),
  },
};

/** Where a password is asked of somebody who is signed in. */
function confirmedByPassword(endpoint: string, body: object, member = 'password'): Record<string, Drive> {
  return {
    E_PASSWORD_WRONG: async (w) =>
      w.call(endpoint, { ...body, [member]: 'wrong' }, { token: await w.token() }),
    E_SIGN_IN_LIMITED: async (w) => {
      const token = await w.token();
      await w.limited();
      await w.call(endpoint, { ...body, [member]: password }, { token });
    },
    E_PASSWORD_BUSY: async (w) => {
      const token = await w.token();
      w.busy();
      await w.call(endpoint, { ...body, [member]: password }, { token });
    },
  };
}

/** Where an account that has no password is its owner's by a recent sign-in. */
function ownedWithoutPassword(endpoint: string, body: object): Record<string, Drive> {
  const change = async (w: World, account: { readonly factors?: string }) => {
    const token = await w.token();
    w.users.put({ ...(await w.users.findById(w.userId))!, passwordHash: null, ...account });
    return token;
  };
  return {
    E_STEP_UP_REQUIRED: async (w) => {
      const token = await change(w, {});
      w.clock.advance('6m');
      await w.call(endpoint, body, { token });
    },
    E_FACTORS_UNREADABLE: async (w) =>
      w.call(endpoint, body, { token: await change(w, { factors: 'not ours' }) }),
  };
}

/** Where a code of the app is asked for besides. */
function confirmedByCode(endpoint: string): Record<string, Drive> {
  return {
    E_FACTOR_WRONG: async (w) => {
      const code = await w.totp();
      await w.call(endpoint, { password, code: '1' }, { token: await signedInWith(w, code()) });
    },
    E_FACTORS_UNREADABLE: async (w) => {
      const token = await w.token();
      await w.unreadable();
      await w.call(endpoint, { password }, { token });
    },
  };
}

function changesOfFactors(endpoint: string): Record<string, Drive> {
  return {
    ...confirmedByPassword(endpoint, {}),
    ...confirmedByCode(endpoint),
    E_LINK_INVALID: async (w) => {
      const code = await w.totp();
      const token = await signedInWith(w, code());
      w.faults.factorsRaced = true;
      await w.call(endpoint, { password, code: code() }, { token });
    },
  };
}

/** Where a link of a message leads to a new password. */
function byLink(
  endpoint: string,
  linkOf: (world: World) => Promise<string>,
  more: Record<string, (world: World, token: string) => Promise<unknown>> = {},
): Record<string, Drive> {
  const own: typeof more = {
    E_LINK_INVALID: (w) => w.call(endpoint, { token: 'none', password: fresh }),
    E_PASSWORD_POLICY: (w, token) => w.call(endpoint, { token, password: 'short' }),
    E_PASSWORD_UNCHECKED: (w, token) => {
      w.faults.breachList = true;
      return w.call(endpoint, { token, password: fresh });
    },
    E_PASSWORD_BUSY: (w, token) => (w.busy(), w.call(endpoint, { token, password: fresh })),
    ...more,
  };
  return Object.fromEntries(
    Object.entries(own).map(([code, drive]) => [code, async (w: World) => drive(w, await linkOf(w))]),
  );
}

/** Where a passkey is shown. */
function shownPasskey(endpoint: string): Record<string, Drive> {
  return {
    E_CHALLENGE_INVALID: async (w) => show(w, endpoint, {}, await w.passkey(), 'none'),
    E_PASSKEY_REFUSED: async (w) => show(w, endpoint, { origin: 'https://evil.example' }, await w.passkey()),
    E_SIGN_IN_LIMITED: async (w) => {
      const credential = await w.passkey();
      const token = await w.token();
      await w.limited();
      await show(w, endpoint, {}, credential, undefined, token);
    },
  };
}

async function show(
  w: World,
  endpoint: string,
  spoilt: Parameters<typeof authenticate>[2],
  credential: Parameters<typeof authenticate>[1],
  ceremony?: string,
  signedIn?: string,
): Promise<void> {
  const token = endpoint.includes('step-up') ? (signedIn ?? (await w.token())) : undefined;
  const start = await w.call(`${endpoint}/options`, {}, { token });
  const response = authenticate(start.options!, credential, spoilt);
  await w.call(endpoint, { ceremony: ceremony ?? start['ceremony'], response }, { token });
}

/** What changes passkeys asks for a recent sign-in of the level of what there is. */
function ownPasskeys(endpoint: string, body?: object): Record<string, Drive> {
  return {
    E_STEP_UP_REQUIRED: async (w) => {
      const token = await w.token();
      w.clock.advance('6m');
      await w.call(endpoint, body, { token });
    },
    E_FACTORS_UNREADABLE: async (w) => {
      const token = await w.token();
      await w.unreadable();
      await w.call(endpoint, body, { token });
    },
  };
}

async function registrationLink(w: World): Promise<string> {
  await w.auth.startRegistration({ login: elsewhere });
  return w.link('complete-registration', elsewhere);
}

/** The body that finishes a registration with a passkey. */
async function endOfRegistration(w: World, from?: string): Promise<object> {
  const token = await registrationLink(w);
  const { ceremony, options } = await w.call('POST /register/passkey/options', { token });
  const { response } = register(options!, from === undefined ? {} : { origin: from });
  return { token, ceremony, response };
}

async function endRegistration(w: World, wrong: object, from?: string): Promise<void> {
  await w.call('POST /register/passkey', { ...(await endOfRegistration(w, from)), ...wrong });
}

async function begin(w: World, token: string, from?: string): Promise<Record<string, unknown>> {
  const start = await w.call('POST /passkeys/options', {}, { token });
  const { response } = register(start.options!, from === undefined ? {} : { origin: from });
  return { ceremony: start['ceremony'], response };
}

async function twoPasskeys(w: World): Promise<string> {
  const token = await w.strong(await w.passkey());
  await w.passkey({}, token);
  return token;
}

async function signedInWith(w: World, code: string): Promise<string> {
  const { challenge: begun } = await w.call('POST /sign-in', ada);
  return (await w.auth.completeSignIn({ challenge: begun!, code }, here)).accessToken;
}

async function challenge(w: World): Promise<string> {
  await w.totp();
  return (await w.call('POST /sign-in', ada))['challenge']!;
}
