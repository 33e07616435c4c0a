import { afterAll, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { loadOrGenerateKeys } from '../src/keys.js';
import { startLibrary, temporaryFolder } from './support/library-process.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('the first start', () => {
  test('makes the signing keys once, in a folder that nobody else has made (the database may be elsewhere)', () => {
    const directory = join(folder.path, 'not', 'there', 'yet');
    const keys = loadOrGenerateKeys(undefined, directory).reveal();
    expect(loadOrGenerateKeys(undefined, directory).reveal()).toBe(keys);
    expect(existsSync(join(directory, `signing-keys.json.${process.pid}`))).toBe(false);
  });

  test('a port that is taken does not lose the staff password; the next start takes it, and guessing through the API is limited like the forms', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const dataDirectory = join(folder.path, 'data');
    const failed = await startLibrary({ dataDirectory, env: { PORT: String(port) } }).then(
      () => 'It started.',
      (error: Error) => error.message,
    );
    taken.close();
    expect(failed).toMatch(/EADDRINUSE/);
    const [, login, password] = /Staff account, shown once: (\S+) with password (\S+)/.exec(failed)!;

    const library = await startLibrary({ dataDirectory });
    try {
      expect(library.staff).toBeUndefined();
      // By the name of this machine: at an address of numbers passkeys would not work.
      expect(library.url).toMatch(/^http:\/\/localhost:\d+$/);
      const post = (path: string, body: object) =>
        fetch(`${library.url}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
          body: JSON.stringify(body),
        });
      const signedIn = await post('/api/auth/sign-in', { login, password, transport: 'bearer' });
      expect(signedIn.status).toBe(200);
      const { access_token: token } = (await signedIn.json()) as { access_token: string };
      const headers = { authorization: `Bearer ${token}` };
      expect((await fetch(`${library.url}/staff/people`, { headers })).status).toBe(200);

      const statuses: number[] = [];
      for (let i = 0; i < 32; i++) statuses.push((await post('/api/auth/register', {})).status);
      expect(new Set(statuses)).toEqual(new Set([400, 429]));
      expect(statuses.filter((status) => status === 400)).toHaveLength(29);
      // The forms share the count; looking at them is free.
      const form = await fetch(`${library.url}/sign-in`, {
        method: 'POST',
        headers: { 'sec-fetch-site': 'same-origin' },
        body: new URLSearchParams({ email: login!, password: password! }),
      });
      expect(form.status).toBe(429);
      expect((await fetch(`${library.url}/sign-in`)).status).toBe(200);
    } finally {
      await library.kill('SIGTERM');
    }
  }, 180_000);
});
