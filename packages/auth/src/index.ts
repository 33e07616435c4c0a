export {
  createTokens,
  createVerifier,
  type AccessClaims,
  type IssuedToken,
  type Tokens,
  type TokensOptions,
  type Verifier,
  type VerifierOptions,
} from './tokens/tokens.js';
export type { Algorithm } from './tokens/algorithms.js';
export { generateKeys, type JwkInput, type KeyObjectInput, type KeysInput } from './tokens/keys.js';
export type { TokenFault } from './tokens/verify-jws.js';
export {
  createPasswords,
  type Passwords,
  type PasswordsOptions,
  type PasswordVerdict,
} from './passwords/passwords.js';
export { argon2id, type Argon2idOptions } from './passwords/argon2id.js';
export { bcrypt, type BcryptOptions } from './passwords/bcrypt.js';
export type { PasswordForms, PasswordHasher } from './passwords/hasher.js';
export {
  createPasswordPolicy,
  type CharacterKind,
  type PasswordFault,
  type PasswordPolicy,
  type PasswordPolicyOptions,
  type PolicyReason,
} from './passwords/policy.js';
export { errors as authErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
