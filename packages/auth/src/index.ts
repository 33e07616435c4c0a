export { createAuth, type Auth } from './auth.js';
export type { AuthOptions, CookieOptions } from './auth-options.js';
export type { AccountAction } from './routes/account-action.js';
export type { AuthRouterOptions } from './routes/router.js';
export type {
  ChangePasswordInput,
  Flows,
  RegisterInput,
  RequestMeta,
  SignedIn,
  SignInInput,
} from './flows/flows.js';
export type { FactorFlows } from './flows/factor-flows.js';
export type { FactorMethod, TotpStart } from './factors/factors.js';
export type { FactorKey } from './factors/factor-record.js';
export type { AccountOwner } from './passkeys/own-account.js';
export type { PasskeyAnswer, PasskeyFlows, PasskeyInfo } from './passkeys/passkey-flows.js';
export type { PasskeyBrowserOptions, PasskeyResponse, Passkeys } from './passkeys/ceremonies.js';
export type { PasskeyCeremony } from './passkeys/ceremony-book.js';
export type { PasskeyAccountFlows } from './passkeys/passkey-accounts.js';
export type { PasskeyPort, PasskeyRecord, PasskeyUse } from './passkeys/passkey-port.js';
export type { RequiredOptions } from './identify.js';
export type { MailFlows } from './flows/mail-flows.js';
export type { AuthMessage, Notify } from './flows/messages.js';
export { emailLogin } from './flows/login.js';
export type { AuthUser, NewAccount, NewCredential, NewFactors, NewLogin, UserPort } from './users.js';
export {
  createSessions,
  type ClientMeta,
  type EndOptions,
  type SessionInfo,
  type SessionLifetimes,
  type Sessions,
  type SessionsOptions,
  type TokenPair,
} from './sessions/sessions.js';
export { keyValueSessions, type KeyValueSessionsOptions } from './sessions/key-value-sessions.js';
export {
  SESSION_TOPIC,
  type SenderBinding,
  type SessionActor,
  type SessionCreation,
  type SessionDetails,
  type SessionRecord,
  type SessionRotation,
  type SessionStore,
} from './sessions/session-store.js';
export { createDpop, type Dpop, type DpopOptions } from './transport/dpop.js';
export { createMutualTls, type MutualTls, type MutualTlsOptions } from './transport/mutual-tls.js';
export { keyValueReplays, type ReplayStore } from './transport/replay-store.js';
export { createStatelessSessions, type StatelessSessionsOptions } from './sessions/stateless-sessions.js';
export {
  createApiKeys,
  type ApiKeyInfo,
  type ApiKeys,
  type ApiKeysOptions,
  type NewApiKey,
} from './api-keys/api-keys.js';
export { API_KEY_TOPIC, type ApiKeyRecord, type ApiKeyStore } from './api-keys/api-key-store.js';
export { keyValueApiKeys, type KeyValueApiKeysOptions } from './api-keys/key-value-api-keys.js';
export type {
  Impersonate,
  ImpersonationFact,
  ImpersonationOptions,
  ImpersonationRequest,
} from './impersonation.js';
export type { AuthCookies, CookieCredentials } from './transport/cookies.js';
export {
  createLockout,
  type Guess,
  type Lockout,
  type LockoutOptions,
  type LockoutVerdict,
} from './guesses/lockout.js';
export type { GuessStore } from './guesses/ladder.js';
export type { DeviceKey, DevicesOptions } from './guesses/devices.js';
export {
  createTokens,
  type IssuedToken,
  type PublishedKeys,
  type Tokens,
  type TokensOptions,
} from './tokens/tokens.js';
export {
  createVerifier,
  type Verifier,
  type VerifierOptions,
  type VerifyOptions,
} from './tokens/verifier.js';
export type { AccessClaims, Confirmation } from './tokens/claims.js';
export { external, type External, type ExternalIssuer, type ExternalOptions } from './external/external.js';
export { publishKeys } from './tokens/publish-keys.js';
export type { Algorithm } from './tokens/algorithms.js';
export { generateKeys, rotateKeys, type RotateKeysOptions } from './tokens/generate-keys.js';
export type { JwkInput, KeyObjectInput, KeysInput } from './tokens/keys.js';
export type { TokenFault } from './tokens/token-fault.js';
export {
  createPasswords,
  type Passwords,
  type PasswordsOptions,
  type PasswordVerdict,
} from './passwords/passwords.js';
export { argon2id, type Argon2idOptions } from './passwords/argon2id.js';
export { bcrypt, type BcryptOptions } from './passwords/bcrypt.js';
export { scrypt, type ScryptOptions } from './passwords/scrypt.js';
export { shaCrypt, type ShaCryptOptions } from './passwords/sha-crypt.js';
export { pbkdf2, type Pbkdf2Options } from './passwords/pbkdf2.js';
export { django, type DjangoOptions } from './passwords/django.js';
export type { PepperKey } from './passwords/pepper.js';
export { pwnedPasswords, type BreachedPasswords, type PwnedPasswordsOptions } from './passwords/breached.js';
export type { Argon2Parameters, Compute, HashComputations } from './passwords/computations.js';
export type { PasswordForms, PasswordHasher, PasswordVerifier } from './passwords/hasher.js';
export {
  createPasswordPolicy,
  type CharacterKind,
  type PasswordFault,
  type PasswordPolicy,
  type PasswordPolicyOptions,
  type PolicyReason,
  type StrengthOptions,
} from './passwords/policy.js';
export type { PasskeyPurpose, SessionEnd, SignInFault } from './events.js';
export { context, createMemoryStore } from '@portcullis/core';
export { errors as authErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
