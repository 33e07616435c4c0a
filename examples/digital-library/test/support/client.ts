import request, { type Response } from 'supertest';

export interface Sending {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is; its content type stands in `headers`. */
  readonly raw?: string | Buffer;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
}

let addresses = 0;

/**
 * Somebody who talks to the library through the proxy in front of it: a browser without scripts that keeps cookies, or,
 * with a bearer token, a program. Each has an address of its own, so that limits by address do not meet.
 */
export class Client {
  readonly cookies = new Map<string, string>();
  token: string | undefined;
  readonly address: string = `198.18.${++addresses >> 8}.${addresses & 255}`;

  constructor(readonly url: string) {}

  /** The same cookies and token from another address, if so wanted at another process. */
  elsewhere(url = this.url): Client {
    const client = new Client(url);
    for (const [name, value] of this.cookies) client.cookies.set(name, value);
    client.token = this.token;
    return client;
  }

  /** The same client, address included, at another process. */
  at(url: string): Client {
    return Object.assign(this.elsewhere(url), { address: this.address });
  }

  async send(
    method: string,
    path: string,
    { headers = {}, raw, json, form }: Sending = {},
  ): Promise<Response> {
    const verb = method.toLowerCase() as 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete' | 'options';
    const agent = request(this.url);
    const sending = agent[verb](path)
      .redirects(0)
      .ok(() => true)
      .set({
        host: 'library.example',
        'x-forwarded-for': this.address,
        'x-forwarded-proto': 'https',
        accept: path.startsWith('/api') || path.startsWith('/openapi') ? 'application/json' : 'text/html',
      });
    if (this.cookies.size > 0)
      sending.set('cookie', [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; '));
    if (this.token !== undefined) sending.set('authorization', `Bearer ${this.token}`);
    if (json !== undefined) sending.set('content-type', 'application/json').send(JSON.stringify(json));
    if (form !== undefined) {
      const pairs = Array.isArray(form) ? form : Object.entries(form);
      sending
        .set('content-type', 'application/x-www-form-urlencoded')
        .send(new URLSearchParams(pairs as [string, string][]).toString());
    }
    sending.set(headers);
    const response = await (raw === undefined ? sending : sending.send(raw));
    this.#keep(response);
    return response;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.send('GET', path, { headers });
  }

  /** As a browser of today sends a form of our own page. */
  submit(path: string, form: NonNullable<Sending['form']> = {}): Promise<Response> {
    return this.send('POST', path, { form, headers: { 'sec-fetch-site': 'same-origin' } });
  }

  post(path: string, json: unknown = {}): Promise<Response> {
    return this.send('POST', path, { json });
  }

  #keep(response: Response): void {
    for (const line of (response.headers['set-cookie'] ?? []) as unknown as string[]) {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      if (
        attributes.includes('Max-Age=0') ||
        attributes.some((a) => a.startsWith('Expires=Thu, 01 Jan 1970'))
      ) {
        this.cookies.delete(name);
      } else this.cookies.set(name, value);
    }
  }
}
