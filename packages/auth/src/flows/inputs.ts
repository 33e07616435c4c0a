import { inputSchema, text } from './input.js';

/** What each flow takes: it reads its input with this, and the OpenAPI document shows it. Lengths in UTF-16 code units. */

const login = text(320);
const password = text(8_192);
const name = text(200);
/** Of a link, a challenge or an enrolment. */
const token = text(128);
/** Of an authenticator app, or a recovery code. */
const code = text(64);

/** What a browser has made of the options. */
const response = { type: 'object', description: 'PublicKeyCredential.toJSON() of the browser' } as const;
const passkeyName = text(64);

export const inputs = {
  signIn: inputSchema({ login, password }),
  register: inputSchema({ login, password }, { name }),
  /** An account without password shows itself by its session. */
  changePassword: inputSchema({ newPassword: password }, { currentPassword: password }),
  /** Begins a registration or a reset. */
  mailbox: inputSchema({ login }),
  completeRegistration: inputSchema({ token, password }, { name }),
  completeReset: inputSchema({ token, password }),
  changeLogin: inputSchema({ login }, { password }),
  completeLoginChange: inputSchema({ token }),
  completeSignIn: inputSchema({ challenge: token, code }),
  /** Who is signed in shows again who they are. */
  confirmation: inputSchema({ password }, { code }),
  confirmTotp: inputSchema({ token, code }),
  startPasskeySignIn: inputSchema({}, { challenge: token }),
  passkeySignIn: inputSchema({ ceremony: token, response }, { challenge: token }),
  passkeyStepUp: inputSchema({ ceremony: token, response }),
  addPasskey: inputSchema({ ceremony: token, response }, { name: passkeyName }),
  startPasskeyAccount: inputSchema({ token }, { name }),
  completePasskeyAccount: inputSchema({ token, ceremony: token, response }, { name: passkeyName }),
  renamePasskey: inputSchema({ name: passkeyName }),
} as const;
