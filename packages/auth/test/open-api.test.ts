import { beforeAll, describe, expect, test } from '@jest/globals';
import { walkRoutes, type ServedRoute } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import request from 'supertest';
import { hotp, stepOf } from '../src/factors/one-time-codes.js';
import type { AuthOptions } from '../src/index.js';
import { passkeys } from '../src/passkeys.js';
import { ada, factorKeys, library, mailKit, password, serve } from './support/auth-kit.js';
import { authenticate, register } from './support/authenticator.js';
import { fromBase32 } from './support/refusing-world.js';

const other = 'plover sings at nine';

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}
interface Document {
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object; readonly securitySchemes: object };
}

/** Everything that the router can serve is on. */
const makeKit = (options: Partial<AuthOptions> = {}) =>
  mailKit({
    apiKeys: { prefix: 'lib' },
    factors: { keys: factorKeys, issuer: 'Library' },
    devices: { keys: [{ id: 'a', key: 'd'.repeat(32) }] },
    passkeys: passkeys(library),
    ...options,
  });

const endpointsOf = ({ paths }: Document): string[] =>
  Object.entries(paths)
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`))
    .toSorted();

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}) {
    const kit = makeKit(options);
    return { ...kit, app: serve(express, kit, undefined, '/api/auth') };
  }
  const documentOf = async (app: unknown): Promise<Document> =>
    (await request(app as never).get('/api/auth/openapi.json')).body as Document;

  describe('the OpenAPI document that the router serves', () => {
    const configurations: Readonly<Record<string, Partial<AuthOptions>>> = {
      'everything on': {},
      'cookies besides': { transport: { cookies: {}, dpop: { origin: 'https://library.example' } } },
      'cookies only': { transport: { bearer: false, cookies: { profile: 'development' } } },
      'proofs needed': { transport: { dpop: { origin: 'https://library.example', required: true } } },
      'without mail': {
        notify: undefined,
        factors: undefined,
        apiKeys: undefined,
        passkeys: undefined,
      } as object,
      stateless: { sessions: false },
    };
    test.each(Object.entries(configurations))('%s: is OpenAPI 3.1, to the letter', async (_name, options) => {
      const { app } = makeApp(options);
      const document = await documentOf(app);
      expect(await new Validator().validate(structuredClone(document) as never)).toMatchObject({
        valid: true,
      });
      expect(document.servers).toEqual([{ url: '/api/auth' }]);
      const ids = Object.values(document.paths).flatMap((item) =>
        Object.values(item).map(({ operationId }) => operationId),
      );
      expect(new Set(ids).size).toBe(ids.length);
    });

    test('has every route that is mounted, and none besides', async () => {
      const { app } = makeApp();
      const document = await documentOf(app);
      const mounted = walkRoutes(app).flatMap(({ methods, path }) =>
        methods.map((method) => `${method} ${path!.replace('/api/auth', '').replaceAll(/:(\w+)/g, '{$1}')}`),
      );
      expect(endpointsOf(document)).toEqual(mounted.toSorted());
      expect(mounted).toHaveLength(35);
      for (const endpoint of mounted) {
        const [method = '', path = ''] = endpoint.split(' ');
        const asked = request(app)[method.toLowerCase() as 'get'](`/api/auth${path.replace('{id}', 'x')}`);
        const { status } = await (method === 'GET' ? asked : asked.send({}));
        expect({ endpoint, status }).not.toMatchObject({ status: 404 });
        const wrong = await request(app).put(`/api/auth${path.replace('{id}', 'x')}`);
        expect({ endpoint, status: wrong.status }).toEqual({ endpoint, status: 405 });
      }
    });

    test('says which credentials a route asks for, and an anonymous request to each of those is 401', async () => {
      const { app } = makeApp();
      const { paths, components } = await documentOf(app);
      expect(Object.keys(components.securitySchemes)).toEqual(['bearer']);
      const guards = walkRoutes(app).map(({ served }) => served as ServedRoute);
      for (const { method, path, guard } of guards) {
        const { security } = paths[path.replace(':id', '{id}')]![method.toLowerCase()]!;
        expect({ path, security }).toEqual({
          path,
          security: guard.kind === 'public' ? [] : [{ bearer: [] }],
        });
        if (guard.kind === 'public') continue;
        const { status } = await request(app)[method.toLowerCase() as 'get'](`/api/auth${path}`);
        expect({ method, path, status }).toEqual({ method, path, status: 401 });
      }
      expect(guards.filter(({ guard }) => guard.kind === 'authorize')).toHaveLength(20);
    });
  });

  describe('the answers', () => {
    let seen: Map<string, Set<string>>;
    let document: Document;
    beforeAll(async () => {
      seen = new Map();
      const kit = makeApp();
      document = await documentOf(kit.app);
      await everyFlow(kit, (endpoint, status) => {
        seen.set(endpoint, (seen.get(endpoint) ?? new Set()).add(status));
      });
    });

    /** Calls the service as its users do, and holds every answer against the document. */
    async function everyFlow(
      { app, auth, clock, mail }: ReturnType<typeof makeApp>,
      note: (endpoint: string, status: string) => void,
    ): Promise<void> {
      const ajv = new Ajv2020({ strict: false, validateFormats: false });
      async function call(endpoint: string, body?: object, token?: string, id = '') {
        const [method = '', path = ''] = endpoint.split(' ');
        const asked = request(app)[method.toLowerCase() as 'get'](`/api/auth${path.replace('{id}', id)}`);
        if (token !== undefined) void asked.set('authorization', `Bearer ${token}`);
        const answer = await (body === undefined ? asked : asked.send(body));
        const operation = document.paths[path]![method.toLowerCase()]!;
        const described = operation.responses[answer.status];
        expect({ endpoint, status: answer.status, described: described !== undefined }).toMatchObject({
          described: true,
        });
        const type = String(answer.headers['content-type'] ?? '').split(';')[0]!;
        const content = described!.content;
        if (!content) expect({ endpoint, text: answer.text }).toEqual({ endpoint, text: '' });
        else {
          expect({ endpoint, types: Object.keys(content) }).toEqual({ endpoint, types: [type] });
          const schema = { ...content[type]!.schema, components: document.components };
          const valid = ajv.validate(schema, JSON.parse(answer.text));
          expect({ endpoint, status: answer.status, valid, errors: ajv.errors }).toMatchObject({
            valid: true,
          });
        }
        note(endpoint, String(answer.status));
        return answer.body as Record<string, never>;
      }
      const wrong = { ...ada, password: 'wrong' };

      await call('POST /register', { login: ada.login });
      await call('POST /register', { login: 'nobody' });
      await auth.settled();
      const link = mail.token('complete-registration', ada.login);
      await call('POST /register/complete', { token: link, password: 'short' });
      await call('POST /register/complete', { token: link, password });
      await call('POST /register/complete', { token: link, password });

      await call('POST /sign-in', wrong);
      await call('POST /sign-in', { ...ada, transport: 'pigeon' });
      const first = await call('POST /sign-in', ada);
      const second = await call('POST /refresh', { refresh_token: first['refresh_token'] });
      await call('POST /refresh', { refresh_token: 'none' });
      await call('POST /refresh', {});
      let token: string = second['access_token']!;
      await call('GET /sessions', undefined, token);
      await call('GET /sessions', undefined, 'none');
      const elsewhere = await call('POST /sign-in', ada);
      await call('DELETE /sessions/{id}', undefined, token, elsewhere['session_id']);
      await call('DELETE /sessions/{id}', undefined, token, elsewhere['session_id']);
      await call('DELETE /sessions', undefined, token);

      await call('POST /password', { currentPassword: 'wrong', newPassword: other }, token);
      await call('POST /password', { currentPassword: password, newPassword: 'short' }, token);
      await call('POST /password', { currentPassword: password, newPassword: other }, token);
      await call('POST /step-up', { password: 'wrong' }, token);
      token = (await call('POST /step-up', { password: other }, token))['access_token']!;

      await call('POST /reset', { login: ada.login });
      await call('POST /reset', {});
      await auth.settled();
      const reset = mail.token('reset-password', ada.login);
      await call('POST /reset/complete', { token: reset, password });
      await call('POST /reset/complete', { token: reset, password });
      token = (await call('POST /sign-in', ada))['access_token']!;

      await call('POST /login', { login: 'lovelace@library.example', password: 'wrong' }, token);
      await call('POST /login', { login: 'lovelace@library.example', password }, token);
      await auth.settled();
      const confirm = mail.token('confirm-login', 'lovelace@library.example');
      await call('POST /login/complete', { token: confirm });
      await call('POST /login/complete', { token: confirm });
      const lovelace = { login: 'lovelace@library.example', password };
      token = (await call('POST /sign-in', lovelace))['access_token']!;

      const made = await call('POST /keys', { name: 'Import', scopes: ['book:read'] }, token);
      await call('POST /keys', { name: '', scopes: 'all' }, token);
      await call('GET /keys', undefined, token);
      await call('GET /keys', undefined, made['key']);
      await call('DELETE /keys/{id}', undefined, token, made['id']);
      await call('DELETE /keys/{id}', undefined, token, made['id']);

      await call('POST /totp', { password: 'wrong' }, token);
      const start = await call('POST /totp', { password }, token);
      const secret = fromBase32(start['secret']!);
      const code = () => {
        clock.advance('2m');
        return hotp(secret, stepOf(clock.now()));
      };
      await call('POST /totp/confirm', { token: start['token'], code: '000000' }, token);
      await call('POST /totp/confirm', { token: start['token'], code: code() }, token);
      const half = await call('POST /sign-in', lovelace);
      await call('POST /sign-in/complete', { challenge: half['challenge'], code: '000000' });
      const whole = await call('POST /sign-in/complete', { challenge: half['challenge'], code: code() });
      token = whole['access_token']!;
      await call('POST /sign-in/complete', { challenge: half['challenge'], code: code() });
      await call('POST /recovery-codes', { password, code: '000000' }, token);
      await call('POST /recovery-codes', { password, code: code() }, token);
      await call('POST /totp/remove', { password: 'wrong' }, token);
      await call('POST /totp/remove', { password, code: code() }, token);

      await call('POST /passkeys/options', {}, token);
      token = (await call('POST /step-up', { password }, token))['access_token']!;
      const making = await call('POST /passkeys/options', {}, token);
      const { response, credential } = register(making['options'] as never);
      const { ceremony } = making;
      await call('POST /passkeys', { ceremony: 'none', response }, token);
      await call('POST /passkeys', { ceremony, response, name: 'Key' }, token);
      const shown = async (endpoint: string, signedIn?: string) => {
        const asked = await call(`${endpoint}/options`, {}, signedIn);
        const answer = authenticate(asked['options'] as never, credential);
        return call(endpoint, { ceremony: asked['ceremony'], response: answer }, signedIn);
      };
      await call('POST /passkeys/sign-in', { ceremony: 'none', response: {} });
      token = (await shown('POST /passkeys/sign-in'))['access_token']!;
      token = (await shown('POST /passkeys/step-up', token))['access_token']!;
      await call('GET /passkeys', undefined, token);
      await call('PATCH /passkeys/{id}', { name: 'Ring' }, token, credential.id);
      await call('PATCH /passkeys/{id}', { name: '' }, token, credential.id);
      await call('DELETE /passkeys/{id}', undefined, token, credential.id);
      await call('DELETE /passkeys/{id}', undefined, token, credential.id);

      await call('POST /register', { login: 'grace@library.example' });
      await auth.settled();
      const grace = mail.token('complete-registration', 'grace@library.example');
      const account = await call('POST /register/passkey/options', { token: grace });
      const graceMade = register(account['options'] as never).response;
      const finish = { token: grace, ceremony: account['ceremony'], response: graceMade };
      await call('POST /register/passkey', { ...finish, token: 'none' });
      await call('POST /register/passkey', finish);
      await call('POST /register/passkey/options', { token: grace });

      await call('GET /jwks.json');
      await call('GET /openapi.json');
      await call('POST /sign-out', { everywhere: 'yes' }, token);
      await call('POST /sign-out', {}, token);
    }

    test('of every route, success and refusals, are as the document says', () => {
      expect([...seen.keys()].toSorted()).toEqual(endpointsOf(document));
      const failed = [...seen].filter(([, statuses]) => ![...statuses].some((one) => one.startsWith('2')));
      expect(failed).toEqual([]);
      const refused = [...seen].filter(([, statuses]) => [...statuses].some((one) => one.startsWith('4')));
      // The lists and the documents of this run are refused for nothing but a credential that is not good.
      expect(refused.length).toBeGreaterThanOrEqual(19);
    });

    test('an answer that is not as the document says is noticed', () => {
      const ajv = new Ajv2020({ strict: false, validateFormats: false });
      const { schema } = document.paths['/sign-in']!['post']!.responses['200']!.content!['application/json']!;
      expect(ajv.validate(schema, { access_token: 'x' })).toBe(false);
      const refusal =
        document.paths['/sign-in']!['post']!.responses['401']!.content!['application/problem+json']!;
      const whole = { ...refusal.schema, components: document.components };
      const problem = { type: 'x', title: 'x', status: 401, code: 'E_SIGN_IN_FAILED' };
      expect(ajv.validate(whole, problem)).toBe(true);
      expect(ajv.validate(whole, { ...problem, code: 'E_ACCOUNT_EXISTS' })).toBe(false);
      expect(ajv.validate(whole, { ...problem, status: 400 })).toBe(false);
    });

    test('what the document says of a body is what is refused', async () => {
      const { app } = makeApp();
      const ajv = new Ajv2020({ strict: false });
      const bodies = Object.entries(document.paths).flatMap(([path, item]) =>
        Object.entries(item).flatMap(([method, { requestBody, security }]) =>
          requestBody && security.length === 0
            ? [[path, method, requestBody.content['application/json'].schema] as const]
            : [],
        ),
      );
      expect(bodies.length).toBeGreaterThanOrEqual(8);
      for (const [path, method, schema] of bodies) {
        type Members = Record<string, { type?: string; maxLength?: number }>;
        const { properties } = schema as { properties: Members };
        for (const [name, { type, maxLength }] of Object.entries(properties)) {
          const objects = type === 'object' ? [] : [{}];
          for (const value of [1.5, null, [], ...objects, '', 'x'.repeat((maxLength ?? 100) + 1)]) {
            const body = { [name]: value };
            expect(ajv.validate(schema, body)).toBe(false);
            const answer = await request(app)[method as 'post'](`/api/auth${path}`).send(body);
            const { code, errors } = answer.body as { code: string; errors: { pointer: string }[] };
            expect({ path, name, status: answer.status, code }).toMatchObject({
              status: 400,
              code: 'E_VALIDATION',
            });
            expect(errors.map(({ pointer }) => pointer)).toContain(`/${name}`);
          }
        }
      }
    });
  });
});
