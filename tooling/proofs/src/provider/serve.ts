import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeys, type Algorithm, type JwkInput } from '@portcullis/auth';
import { Provider } from 'oidc-provider';

export interface Running {
  readonly issuer: string;
  readonly port: number;
  readonly keys: readonly JwkInput[];
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** An access token by client credentials for a resource (RFC 8707); with a proof, bound to its key. */
  token(resource: string, proof?: (url: string, nonce?: string) => string): Promise<string>;
  stop(): Promise<void>;
}

const CLIENT = 'reporting';

/** npm's oidc-provider on this machine, with keys and a secret for this run only. */
export async function serveProvider(
  alg: Algorithm,
  settings: { port?: number; keys?: readonly JwkInput[] } = {},
): Promise<Running> {
  const keys = settings.keys ?? generateKeys(alg).keys;
  const secret = randomBytes(32).toString('base64url');
  const asked: string[] = [];
  let handle: ReturnType<Provider['callback']> = () => undefined;
  const server = createServer((req, res) => {
    asked.push(req.url ?? '');
    handle(req, res);
  });
  await new Promise<void>((resolve) => server.listen(settings.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: CLIENT,
        client_secret: secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: alg,
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: [alg] },
    ttl: { ClientCredentials: 120 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: (_ctx: unknown, resource: string) => ({
          audience: resource,
          scope: 'book:read book:create',
          accessTokenTTL: 120,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        }),
      },
    },
  });
  handle = provider.callback();

  return {
    issuer,
    port,
    keys,
    asked,
    async token(resource, proof) {
      const url = `${issuer}/token`;
      const basic = Buffer.from(`${CLIENT}:${secret}`).toString('base64');
      const ask = (nonce?: string): Promise<Response> =>
        fetch(url, {
          method: 'POST',
          headers: {
            connection: 'close',
            authorization: `Basic ${basic}`,
            ...(proof ? { dpop: proof(url, nonce) } : {}),
          },
          body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'book:read' }),
        });
      let answer = await ask();
      const nonce = answer.headers.get('dpop-nonce');
      if (!answer.ok && proof && nonce) answer = await ask(nonce);
      const body = (await answer.json()) as {
        access_token?: string;
        error?: string;
        error_description?: string;
      };
      if (!body.access_token) throw new Error(`No token: ${body.error}, ${body.error_description}`);
      return body.access_token;
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
