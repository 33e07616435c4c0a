import { inputFault, inputSchema, readInput, text } from '../flows/input.js';
import type { PasskeyResponse } from './ceremonies.js';

/** W3C WebAuthn Level 3 section 5.8.4; others are left out. */
export const TRANSPORTS = ['usb', 'nfc', 'ble', 'smart-card', 'hybrid', 'internal'] as const;

/** Base64 of what authenticators send: a credential id has at most 1,023 bytes. */
const ID = text(1_364);
const LONG = text(16_384);
const BASE64URL = /^[A-Za-z0-9_-]+$/;

const OUTER = inputSchema({ id: ID, rawId: ID, type: text(32) });
const INNER = {
  registration: inputSchema({ clientDataJSON: LONG, attestationObject: LONG }),
  authentication: inputSchema(
    { clientDataJSON: LONG, authenticatorData: LONG, signature: LONG },
    { userHandle: text(128) },
  ),
} as const;

/** The members of a browser's answer that count, as text of bounded length. @throws E_VALIDATION (400) */
export function readResponse(input: unknown, kind: keyof typeof INNER): PasskeyResponse {
  const named = (prefix: string, name: string) => ({
    pointer: `${prefix}/${name}`,
    keyword: 'format',
    message: 'must be base64url',
  });
  const outer = readInput(input, OUTER, '/response');
  const inside = (input as { response?: unknown }).response;
  // Browsers write an absent handle as null.
  const cleaned =
    typeof inside === 'object' && inside !== null
      ? Object.fromEntries(Object.entries(inside).filter(([, value]) => value !== null))
      : inside;
  const texts: Readonly<Record<string, string | undefined>> =
    kind === 'registration'
      ? readInput(cleaned, INNER.registration, '/response/response')
      : readInput(cleaned, INNER.authentication, '/response/response');
  const faults = [
    ...(BASE64URL.test(outer.id) ? [] : [named('/response', 'id')]),
    ...Object.entries(texts)
      .filter(([, text]) => text !== undefined && !BASE64URL.test(text))
      .map(([name]) => named('/response/response', name)),
  ];
  if (faults.length > 0) throw inputFault(...faults);
  const { transports } = cleaned as { transports?: unknown };
  return {
    ...outer,
    response: {
      ...(texts as Record<string, string> & { clientDataJSON: string }),
      ...(Array.isArray(transports)
        ? { transports: transports.filter((one) => typeof one === 'string') }
        : {}),
    },
  };
}
