export { passkeys, type PasskeysOptions } from './passkeys/passkeys.js';
export type { PasskeyBrowserOptions, PasskeyResponse, Passkeys } from './passkeys/ceremonies.js';
export type { SecurityContext } from '@portcullis/core';
