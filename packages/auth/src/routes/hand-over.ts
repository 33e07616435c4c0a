import type { SecurityRequest, SecurityResponse } from '@portcullis/core';
import { text, withOptional, type InputSchema } from '../flows/input.js';
import type { RequestMeta, SignedIn } from '../flows/flows.js';
import { answer, type Exchange, type RouteDeps } from './route.js';

type Sender = Pick<Exchange, 'req' | 'res'>;

/** Bodies of routes that begin a session: where its tokens go. */
const transport = { transport: { enum: ['bearer', 'cookies'] } } as const;
/** And by what token the device is known. */
const device = { ...transport, device_token: text(512) } as const;
export const withTransport = <R extends Members, O extends Members>(schema: InputSchema<R, O>) =>
  withOptional(schema, transport);
export const withDevice = <R extends Members, O extends Members>(schema: InputSchema<R, O>) =>
  withOptional(schema, device);
type Members = InputSchema['properties'];

/** With the key that the sender proves to hold, if there is a proof or has to be one (RFC 9449 section 5). */
export async function boundMeta({ req, res }: Sender, { dpop, metaOf }: RouteDeps): Promise<RequestMeta> {
  const meta = metaOf(req);
  if (!dpop || (!dpop.required && req.headers['dpop'] === undefined)) return meta;
  return { ...meta, binding: { jkt: await dpop.prove(req, res) } };
}

/** For a sign-in: bound to a key unless its tokens go into cookies, and with the device that the body names. */
export async function signInMeta(
  exchange: Sender & { readonly body: { readonly device_token?: string } },
  deps: RouteDeps,
): Promise<RequestMeta> {
  const { device_token: named } = exchange.body;
  const meta = await sessionMeta(exchange, deps);
  return { ...meta, devices: [...(meta.devices ?? []), ...(named === undefined ? [] : [named])] };
}

/** For what begins a session. */
export async function sessionMeta(sender: Sender, deps: RouteDeps): Promise<RequestMeta> {
  return wantsCookies(sender.req, deps) ? deps.metaOf(sender.req) : boundMeta(sender, deps);
}

/** With both transports on, cookies, unless the client asks for `"transport": "bearer"`. */
export function wantsCookies(req: SecurityRequest, { bearer, cookies }: RouteDeps): boolean {
  const asked = (req.body as { transport?: unknown } | undefined)?.transport;
  return cookies !== undefined && !(bearer && asked === 'bearer');
}

/** The pair in cookies, out of reach of scripts, or as RFC 6749 section 5.1 names its parts. */
export function hand(
  res: SecurityResponse,
  pair: SignedIn,
  inCookies: boolean,
  { cookies, now }: RouteDeps,
): void {
  const seconds = (end: number) => Math.max(0, Math.floor((end - now()) / 1000));
  const facts = { session_id: pair.sessionId, expires_in: seconds(pair.accessExpiresAt) };
  if (inCookies && cookies) {
    cookies.write(res, pair);
    answer(res, 200, facts);
  } else {
    answer(res, 200, {
      access_token: pair.accessToken,
      token_type: pair.tokenType,
      refresh_token: pair.refreshToken,
      refresh_expires_in: seconds(pair.refreshExpiresAt),
      ...(pair.deviceToken === undefined ? {} : { device_token: pair.deviceToken }),
      ...facts,
    });
  }
}
