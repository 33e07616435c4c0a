import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type * as SimpleWebAuthn from '@simplewebauthn/server';
import { decodeAttestationObject } from '@simplewebauthn/server/helpers';
import { vectorsDirectory } from '@portcullis/test-support';
import { isPasskeyFault } from '../src/passkeys/ceremonies.js';
import { passkeys, type PasskeyResponse } from '../src/passkeys.js';
import { cbor } from './support/authenticator.js';

type Values = Readonly<Record<string, string>>;
interface Vector {
  readonly title: string;
  readonly values?: Values;
  readonly registration?: Values;
  readonly authentication?: Values;
}

/** The copy that passkeys() loads: the roots that are set here have to be the ones it asks. */
const { SettingsService } = createRequire(import.meta.url)('@simplewebauthn/server') as typeof SimpleWebAuthn;

/** Vectors that are not taken, and why. */
const FRAMED = 'cross-origin frame';
const REFUSED: Readonly<Record<string, string>> = {
  // For services that want to be framed by others. We do not: a page around ours could be made to ask.
  'ES256 Credential with "crossOrigin": true in clientDataJSON': FRAMED,
  'ES256 Credential with "topOrigin" in clientDataJSON': FRAMED,
  // The library knows OKP keys on Ed25519 only. We do not offer others.
  'Packed Attestation with Ed448 Credential': 'Public key had invalid alg -53 (OKP)',
};
/** Statements of make and model that the library refuses. We ask for none, and browsers then hand none over. */
const STATEMENT: Readonly<Record<string, string>> = {
  'TPM Attestation with ES256 Credential': 'Could not match TPM manufacturer "id:00000000" (TPM)',
  'Android Key Attestation with ES256 Credential':
    'Unexpected error while validating certificate path (Android Key)',
  'FIDO U2F Attestation with ES256 Credential': 'AAGUID "2.335482741825557e+38" was not expected value',
};

const folder = vectorsDirectory('webauthn', 'webauthn_l3.json');

(folder ? describe : describe.skip)('W3C WebAuthn Level 3, test vectors', () => {
  const file = folder && readFileSync(join(folder, 'webauthn_l3.json'), 'utf8');
  const { vectors } = file ? (JSON.parse(file) as { vectors: readonly Vector[] }) : { vectors: [] };
  const all = vectors.filter((vector) => vector.registration);
  const ours = passkeys({
    rpId: 'example.org',
    rpName: 'Example',
    origins: ['https://example.org'],
    userVerification: 'preferred',
    algorithms: [-8, -7, -257, -35, -36, -53],
  });

  const base64url = (hex: string | undefined) => Buffer.from(hex ?? '', 'hex').toString('base64url');
  const responseOf = (values: Values, id: string): PasskeyResponse => ({
    id,
    rawId: id,
    type: 'public-key',
    response: {
      clientDataJSON: base64url(values['clientDataJSON']),
      ...Object.fromEntries(
        ['attestationObject', 'authenticatorData', 'signature']
          .filter((name) => values[name] !== undefined)
          .map((name) => [name, base64url(values[name])]),
      ),
    },
  });

  /** What browsers do to an attestation that nobody asked for (section 5.1.3 step 27): no statement, no model. */
  function withoutStatement(attestationObject: string): string {
    const decoded = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'hex')));
    const authData = Buffer.from(decoded.get('authData'));
    return cbor(
      new Map<string, unknown>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', authData.fill(0, 37, 53)],
      ]),
    ).toString('hex');
  }

  async function outcome({ registration, authentication }: Vector): Promise<string> {
    const id = base64url(registration!['credential_id']);
    try {
      const made = await ours.verifyRegistration(
        responseOf(registration!, id),
        base64url(registration!['challenge']),
      );
      expect(made.id).toBe(id);
      const record = { ...made, userId: 'u', transports: [], name: 'p', createdAt: 0, lastUsedAt: null };
      await ours.verifyAuthentication(
        responseOf(authentication!, id),
        base64url(authentication!['challenge']),
        record,
      );
      return 'verified';
    } catch (error) {
      if (!isPasskeyFault(error)) throw error;
      return error.message;
    }
  }

  const named = all.map((vector) => [vector.title, vector] as const);

  test.each(named)('with its statement of make and model: %s', async (title, vector) => {
    const root = vectors.find(({ values }) => values?.['attestation_ca_cert'])!.values![
      'attestation_ca_cert'
    ]!;
    const lines = Buffer.from(root, 'hex').toString('base64');
    const pem = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----`;
    for (const identifier of ['packed', 'tpm', 'android-key', 'apple', 'fido-u2f'] as const)
      SettingsService.setRootCertificates({ identifier, certificates: [pem] });
    expect(await outcome(vector)).toBe(REFUSED[title] ?? STATEMENT[title] ?? 'verified');
  });

  test.each(named)(
    'as browsers hand it over to those who ask for no statement: %s',
    async (title, vector) => {
      const registration = {
        ...vector.registration,
        attestationObject: withoutStatement(vector.registration!['attestationObject']!),
      };
      expect(await outcome({ ...vector, registration })).toBe(REFUSED[title] ?? 'verified');
    },
  );

  const verifying = named.filter(([title]) => REFUSED[title] === undefined);
  test.each(verifying)(
    'with one bit of the signature changed it is refused for that: %s',
    async (_title, vector) => {
      const registration = {
        ...vector.registration,
        attestationObject: withoutStatement(vector.registration!['attestationObject']!),
      };
      const signature = Buffer.from(vector.authentication!['signature']!, 'hex');
      signature[signature.length - 1]! ^= 1;
      const authentication = { ...vector.authentication, signature: signature.toString('hex') };
      expect(await outcome({ ...vector, registration, authentication })).toBe('signature');
    },
  );

  test('all 15 credentials are there, and 12 of them verify', () => {
    expect(all).toHaveLength(15);
    expect(all.filter(({ title }) => REFUSED[title] === undefined)).toHaveLength(12);
  });
});
