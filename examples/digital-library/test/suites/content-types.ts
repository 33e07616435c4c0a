import { expect, test } from '@jest/globals';
import { walkRoutes } from '@portcullis/core';
import type { Response } from 'supertest';
import { createApp } from '../../src/app.js';
import type { OpenLibrary } from '../support/open-library.js';

/** Asks every route, as three kinds of people. */
export function contentTypes(current: () => OpenLibrary): void {
  test('ASVS V4.1.1: whatever is asked of any route, by anybody, an answer with a body says what it is, and in which characters', async () => {
    const library = current();
    const routes = walkRoutes(createApp(library.house)).flatMap(({ kind, methods, path }) =>
      kind === 'route' && path !== undefined ? methods.map((method) => [method, path] as const) : [],
    );
    expect(routes.length).toBeGreaterThan(30);
    const paths = [
      ...routes,
      ['GET', '/nowhere'],
      ['POST', '/'],
      ['GET', '/assets/style.css'],
      ['GET', '/%c0'],
    ] as const;
    const statuses = new Set<number>();
    const types = new Set<string>();
    for (const [method, pattern] of paths) {
      const path = pattern.replaceAll(/:\w+/g, '1');
      if (/sign-out/.test(path)) continue;
      const ann = library.ann.browser.elsewhere();
      const staff = library.staff.program.elsewhere();
      const anybody = [
        [library.anonymous(), 'text/html'],
        [ann, 'text/plain'],
        [staff, 'application/json'],
      ] as const;
      for (const [client, accept] of anybody) {
        const reading = method === 'GET' || method === 'HEAD' || method === '*';
        const broken = client === staff ? { json: {} } : { raw: '{' };
        const headers = reading ? { accept } : { accept, 'content-type': 'application/json' };
        const response = await client.send(reading ? 'GET' : method, path, {
          ...(reading ? {} : broken),
          headers,
        });
        statuses.add(response.status);
        check(`${method} ${path} as ${accept}: ${response.status}`, response, types);
      }
    }
    // The walk has met pages, data, refusals and faults of the client.
    expect([...statuses]).toEqual(expect.arrayContaining([200, 303, 400, 401, 403, 404]));
    expect([...types]).toEqual(
      expect.arrayContaining(['text/html', 'application/json', 'application/problem+json']),
    );
  }, 300_000);
}

function check(what: string, { status, headers, text }: Response, types: Set<string>): void {
  if (!text || status === 204 || status === 304) return;
  const [type = '', ...parameters] = String(headers['content-type'] ?? 'none').split(/ *; */);
  types.add(type);
  expect([what, type]).toEqual([what, expect.stringMatching(/^(?:text|application|image)\/[a-z+.-]+$/)]);
  if (type.startsWith('text/')) expect([what, parameters]).toEqual([what, ['charset=utf-8']]);
  if (type.endsWith('json')) expect(() => JSON.parse(text) as unknown).not.toThrow();
  if (type === 'text/html') expect([what, text.trimStart()[0]]).toEqual([what, '<']);
  if (type === 'text/plain') expect([what, /^\s*[<{]/.test(text)]).toEqual([what, false]);
}
