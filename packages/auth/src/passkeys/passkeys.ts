import loadWebAuthn from '#peers/simplewebauthn';
import { missingPeer, option, readOptions, type Duration } from '@portcullis/core';
import { PasskeyFault, type Passkeys } from './ceremonies.js';
import { assertRelyingParty, formOfSuffix } from './relying-party.js';

export interface PasskeysOptions {
  /** The domain that passkeys belong to, for as long as they live: `library.example`. In development `localhost`. */
  readonly rpId: string;
  /** What browsers and password managers show, 1 to 64 characters. */
  readonly rpName: string;
  /** Origins whose pages may use them, as browsers write them: `https://library.example`. On `rpId` or below it, 1 to 16. */
  readonly origins: readonly string[];
  /**
   * `required`: PIN, finger or face with every use, so that one step is level 2. `preferred`: passkeys without it count as one factor,
   * level 1, and an account with a code of an app is asked for it. @default 'required'
   */
  readonly userVerification?: 'required' | 'preferred';
  /** COSE algorithms, the preferred one first. @default [-8, -7, -257]: EdDSA, ES256, RS256 */
  readonly algorithms?: readonly number[];
  /** How long a challenge counts, 30 s to 10 min. @default '5m' */
  readonly timeout?: Duration;
  /** Passkeys of one account, 1 to 100. @default 10 */
  readonly max?: number;
  /**
   * An account that has a passkey is asked for one after its password. Who loses all of them and has no code of an app is locked
   * out then. @default false: a password alone signs in, at level 1
   */
  readonly secondFactor?: boolean;
  /** How long after a sign-in or step-up passkeys may be added, renamed and removed, 30 s to 1 h. @default '5m' */
  readonly fresh?: Duration;
  /** The whole list of suffixes, such as `getPublicSuffix` of `tldts`. @default by form: `com`, `co.uk` */
  readonly publicSuffix?: (domain: string) => string | null;
}

const OWNER = 'passkeys';

/**
 * Passkeys (W3C WebAuthn Level 3) for `createAuth({ passkeys: passkeys({ ... }) })`; the port of users has to offer
 * `users.passkeys`. Attestation is not asked for: which make an authenticator is, is neither checked nor kept.
 * @throws OptionError
 */
export function passkeys(options: PasskeysOptions): Passkeys {
  const webAuthn = loadWebAuthn(missingPeer(OWNER, '@simplewebauthn/server@^14.0.0'));
  const given = readOptions(OWNER, options, {
    rpId: option.string({ max: 253 }),
    rpName: option.string({ min: 1, max: 64 }),
    origins: option.array(option.string({ max: 300 }), { min: 1, max: 16 }),
    userVerification: option.oneOf(['required', 'preferred'], 'required'),
    algorithms: option.array(option.integer({ min: -65_535, max: -1 }), {
      min: 1,
      max: 16,
      default: [-8, -7, -257],
    }),
    timeout: option.duration({ minMs: 30_000, maxMs: 600_000, default: '5m' }),
    max: option.integer({ min: 1, max: 100, default: 10 }),
    secondFactor: option.boolean(false),
    fresh: option.duration({ minMs: 30_000, maxMs: 3_600_000, default: '5m' }),
    publicSuffix: option.fn<NonNullable<PasskeysOptions['publicSuffix']>>(formOfSuffix),
  });
  const { rpId, rpName, userVerification, timeout, max, secondFactor, fresh } = given;
  const [origins, algorithms] = [[...given.origins], [...given.algorithms]];
  assertRelyingParty(OWNER, { rpId, origins }, given.publicSuffix);

  const expected = (challenge: string) => ({
    expectedChallenge: challenge,
    expectedOrigin: origins,
    expectedRPID: rpId,
    requireUserVerification: userVerification === 'required',
  });
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));

  return {
    rpId,
    timeoutMs: timeout,
    max,
    secondFactor,
    verifiesUser: userVerification === 'required',
    freshMs: fresh,

    async creationOptions({ challenge, handle, login, name, existing }) {
      return webAuthn.generateRegistrationOptions({
        rpID: rpId,
        rpName,
        userID: bytes(handle),
        userName: login,
        userDisplayName: name,
        challenge: bytes(challenge),
        timeout,
        excludeCredentials: existing.map(descriptor),
        // To be found without a name: that is what signs in without one.
        authenticatorSelection: { residentKey: 'required', userVerification },
        supportedAlgorithmIDs: algorithms,
      });
    },

    async requestOptions({ challenge, allowed }) {
      return webAuthn.generateAuthenticationOptions({
        rpID: rpId,
        challenge: bytes(challenge),
        timeout,
        allowCredentials: allowed.map(descriptor),
        userVerification,
      });
    },

    async verifyRegistration(response, challenge) {
      assertOwnFrame(response.response.clientDataJSON);
      const answer = await verified(() =>
        webAuthn.verifyRegistrationResponse({
          response: { ...response, clientExtensionResults: {} } as never,
          supportedAlgorithmIDs: algorithms,
          ...expected(challenge),
        }),
      );
      if (!answer.verified) throw new PasskeyFault('attestation');
      const { credential, credentialDeviceType, credentialBackedUp } = answer.registrationInfo;
      // What is signed names the credential; what stands beside it is anybody's word.
      if (credential.id !== response.id) throw new PasskeyFault('credential id');
      return {
        id: credential.id,
        publicKey: Buffer.from(credential.publicKey).toString('base64url'),
        counter: credential.counter,
        backupEligible: credentialDeviceType === 'multiDevice',
        backedUp: credentialBackedUp,
      };
    },

    async verifyAuthentication(response, challenge, passkey) {
      assertOwnFrame(response.response.clientDataJSON);
      const answer = await verified(() =>
        webAuthn.verifyAuthenticationResponse({
          response: { ...response, clientExtensionResults: {} } as never,
          // The counter is judged where it is stored, in one step with storing it.
          credential: { id: passkey.id, publicKey: bytes(passkey.publicKey), counter: 0 },
          ...expected(challenge),
        }),
      );
      if (!answer.verified) throw new PasskeyFault('signature');
      const { newCounter, userVerified, credentialDeviceType, credentialBackedUp } =
        answer.authenticationInfo;
      // Section 7.2 step 18: this flag never changes.
      if ((credentialDeviceType === 'multiDevice') !== passkey.backupEligible)
        throw new PasskeyFault('backup eligibility');
      return { counter: newCounter, userVerified, backedUp: credentialBackedUp };
    },
  };
}

/** Whatever the library makes of a response is a fault of the response: it has only this one to work on. */
async function verified<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new PasskeyFault(cause instanceof Error ? cause.message : 'unreadable', { cause });
  }
}

/** A page of ours inside somebody else's could be made to ask: no cross-origin frames (section 13.4.9). */
function assertOwnFrame(clientDataJSON: string): void {
  let data: unknown;
  try {
    data = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString());
  } catch (cause) {
    throw new PasskeyFault('client data', { cause });
  }
  const { crossOrigin, topOrigin } = (data ?? {}) as { crossOrigin?: unknown; topOrigin?: unknown };
  if ((crossOrigin !== undefined && crossOrigin !== false) || topOrigin !== undefined)
    throw new PasskeyFault('cross-origin frame');
}

type WebAuthn = ReturnType<typeof loadWebAuthn>;
type Allowed = NonNullable<
  Parameters<WebAuthn['generateAuthenticationOptions']>[0]['allowCredentials']
>[number];
type Transport = NonNullable<Allowed['transports']>[number];

function descriptor({ id, transports }: { readonly id: string; readonly transports: readonly string[] }) {
  return { id, transports: transports as Transport[] };
}
