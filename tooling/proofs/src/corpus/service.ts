import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The little shop that every stack serves. What it does is written once, here; a stack decides what reaches it.

export const USERS: Readonly<Record<string, string>> = { 'ann@shop.example': 'correct horse battery' };

/** A folder with files to serve, thrown away at the end. */
export interface Folders {
  readonly files: string;
  remove(): void;
}

export async function makeFolders(): Promise<Folders> {
  const root = await mkdtemp(join(tmpdir(), 'corpus-'));
  const files = join(root, 'files');
  mkdirSync(join(files, '.git'), { recursive: true });
  writeFileSync(join(files, 'app.js'), 'export {};\n');
  writeFileSync(join(files, 'index.html'), '<!doctype html><title>Shop</title>\n');
  writeFileSync(join(files, '.env'), 'SECRET=of-the-shop\n');
  writeFileSync(join(files, '.git', 'config'), '[core]\nsecret = of-the-shop\n');
  writeFileSync(join(root, 'outside.txt'), 'outside of the folder\n');
  return {
    files,
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Which handlers the requests of a client have reached, by its `X-Check` header. */
export class Calls {
  readonly #calls = new Map<string, string[]>();

  note(client: unknown, handler: string): void {
    const key = String(client);
    const list = this.#calls.get(key);
    if (list) list.push(handler);
    else this.#calls.set(key, [handler]);
  }

  of(client: string): readonly string[] {
    return this.#calls.get(client) ?? [];
  }
}

/** What code of an application throws. */
export const FAULTS: Readonly<Record<string, () => unknown>> = {
  error: () => new Error('SELECT * FROM users WHERE password = hunter2'),
  type: () => (undefined as unknown as { name: string }).name,
  undefined: () => undefined,
  null: () => null,
  zero: () => 0,
  empty: () => '',
  text: () => 'hunter2 as a text',
  route: () => 'route',
  object: () => ({ message: 'hunter2 in an object', stack: 'at secret.js:1:1' }),
  status200: () => Object.assign(new Error('hunter2'), { status: 200 }),
  status404: () =>
    Object.assign(new Error('hunter2 of the database'), {
      status: 404,
      code: 'ENOENT',
      path: '/srv/hunter2',
    }),
  upstream: () =>
    Object.assign(new Error('Request failed with status code 401, hunter2'), {
      name: 'AxiosError',
      isAxiosError: true,
      status: 401,
      response: { status: 401, headers: { 'set-cookie': 'hunter2=1' }, data: 'hunter2' },
    }),
  headers: () => Object.assign(new Error('hunter2'), { status: 500, headers: { 'X-Secret': 'hunter2' } }),
  exposed: () => Object.assign(new Error('hunter2'), { status: 500, expose: true }),
  aggregate: () => new AggregateError([new Error('hunter2')], 'hunter2'),
};

/** As in many a service: settings of the caller over the defaults, at every depth. */
export function mergeSettings(settings: unknown): Record<string, unknown> {
  const merged: Record<string, unknown> = { theme: 'light', notify: { mail: true } };
  merge(merged, settings);
  return merged;
}

function merge(target: Record<string, unknown>, source: unknown): void {
  if (typeof source !== 'object' || source === null) return;
  for (const key of Object.keys(source)) {
    const value = (source as Record<string, unknown>)[key];
    const existing = target[key];
    if (typeof value === 'object' && value !== null && typeof existing === 'object' && existing !== null) {
      merge(existing as Record<string, unknown>, value);
    } else target[key] = value;
  }
}

/** Whether somebody has changed what every object inherits; undone when asked. */
export function takePollution(): boolean {
  const found = Object.keys(Object.prototype);
  for (const key of found) delete (Object.prototype as Record<string, unknown>)[key];
  return found.length > 0;
}

export const PAGE = '<!doctype html><html lang="en"><title>Shop</title><p>Welcome to the shop.</p></html>\n';
export const ETAG = '"one"';
