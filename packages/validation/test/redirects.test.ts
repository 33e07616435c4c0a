import assert from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import { createEvents, type SecurityEvent } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import type { Request, Response } from 'express';
import fc from 'fast-check';
import request from 'supertest';
import { createRedirects, safeRedirect } from '../src/index.js';

const allow = ['https://shop.example', 'https://*.partner.example', 'https://xn--bcher-kva.example'];
const fallback = '/home';
const to = (target: unknown): string => safeRedirect(target, { allow, fallback });

describe('what passes', () => {
  test.each([
    ['/', '/'],
    ['/books/12', '/books/12'],
    ['/books?q=a%2Fb&page=2#top', '/books?q=a%2Fb&page=2#top'],
    ['/books?next=//evil.example', '/books?next=//evil.example'],
    ['/caf\u00e9', '/caf%C3%A9'],
    ['/a/../b', '/b'],
    ['/100%25', '/100%25'],
    ['/a:b', '/a:b'],
    ['https://shop.example', 'https://shop.example/'],
    ['https://shop.example/cart?x=1', 'https://shop.example/cart?x=1'],
    ['https://a.b.partner.example/x', 'https://a.b.partner.example/x'],
    ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example/'],
  ])('%s', (target, location) => expect(to(target)).toBe(location));
});

/** Each leads to another site in some browser, proxy or client library. */
const attacks: readonly (readonly [name: string, target: string])[] = [
  ['another site', 'https://evil.example/'],
  ['protocol-relative', '//evil.example'],
  ['three slashes', '///evil.example'],
  ['slash and backslash', '/\\evil.example'],
  ['two backslashes', '\\\\evil.example'],
  ['backslash and slash', '\\/evil.example'],
  ['backslash later', '/a\\..\\..\\/evil.example'],
  ['scheme without slashes', 'https:evil.example'],
  ['scheme with one slash', 'https:/evil.example'],
  ['scheme with three slashes', 'https:///evil.example'],
  ['scheme with backslashes', 'https:\\\\evil.example'],
  ['other scheme without slashes', 'http:evil.example'],
  ['javascript:', 'javascript:alert(1)'],
  ['javascript: in mixed case', 'JaVaScRiPt:alert(1)'],
  ['javascript: behind a path', 'javascript://shop.example/%0aalert(1)'],
  ['javascript: with a tab inside', 'java\tscript:alert(1)'],
  ['javascript: with an encoded colon', 'javascript%3Aalert(1)'],
  ['data:', 'data:text/html,<script>alert(1)</script>'],
  ['vbscript:', 'vbscript:msgbox(1)'],
  ['blob:', 'blob:https://evil.example/1'],
  ['tab between slashes', '/\t/evil.example'],
  ['line feed between slashes', '/\n/evil.example'],
  ['carriage return between slashes', '/\r/evil.example'],
  ['leading space', ' //evil.example'],
  ['leading control character', '\u0001//evil.example'],
  ['NUL', '/\u0000/evil.example'],
  ['next line (C1)', '/\u0085/evil.example'],
  ['zero-width space', '/\u200b/evil.example'],
  ['byte order mark', '\ufeff//evil.example'],
  ['no-break space', '\u00a0//evil.example'],
  ['reversed reading direction', '/\u202e/elpmaxe.live'],
  ['encoded slashes', '/%2fevil.example'],
  ['all slashes encoded', '%2f%2fevil.example'],
  ['encoded backslash', '/%5cevil.example'],
  ['twice encoded slash', '/%252fevil.example'],
  ['three times encoded slash', '/%25252fevil.example'],
  ['encoded dots and a slash', '/%2e%2e//evil.example'],
  ['a dot segment that vanishes', '/.//evil.example'],
  ['two dot segments that vanish', '/..//evil.example'],
  ['a dot segment before an encoded slash', '/./%2fevil.example'],
  ['overlong UTF-8 slash', '/%c0%afevil.example'],
  ['response splitting', '/%0d%0aLocation:%20https://evil.example'],
  ['response splitting, raw', '/\r\nLocation: https://evil.example'],
  ['response splitting in the query', '/x?y=%0d%0aSet-Cookie:a=b'],
  ['response splitting, twice encoded', '/x?y=%250d%250aSet-Cookie:a=b'],
  ['user name that looks like the host', 'https://shop.example@evil.example/'],
  ['user name before an allowed host', 'https://evil@shop.example/'],
  ['password before an allowed host', 'https://shop.example:443@evil.example/'],
  ['empty user name', 'https://@shop.example/'],
  ['backslash after the host', 'https://shop.example\\@evil.example/'],
  ['hash before the at sign', 'https://evil.example#@shop.example'],
  ['question mark before the at sign', 'https://evil.example?@shop.example'],
  ['allowed host as a prefix', 'https://shop.example.evil.example/'],
  ['allowed host as a suffix', 'https://evilshop.example/'],
  ['pattern matched without its dot', 'https://evilpartner.example/'],
  ['pattern matched by an empty label', 'https://.partner.example/'],
  ['the name of the pattern itself', 'https://partner.example/'],
  ['allowed host without TLS', 'http://shop.example/'],
  ['allowed host, another port', 'https://shop.example:8443/'],
  ['trailing dot', 'https://shop.example./'],
  ['upper case host', 'https://SHOP.example/'],
  ['encoded host', 'https://shop%2eexample/'],
  ['encoded at sign', 'https://shop.example%40evil.example/'],
  ['fullwidth solidus', '/\uff0fevil.example'],
  ['fraction slash', '/\u2044evil.example'],
  ['division slash', '/\u2215evil.example'],
  ['big solidus', '/\u29f8evil.example'],
  ['fullwidth reverse solidus', '/\uff3cevil.example'],
  ['small reverse solidus', '/\ufe68evil.example'],
  ['ideographic full stop', 'https://shop\u3002example/'],
  ['fullwidth full stop', 'https://shop\uff0eexample/'],
  ['halfwidth ideographic full stop', 'https://shop\uff61example/'],
  ['fullwidth letters', 'https://\uff53hop.example/'],
  ['Cyrillic look-alike of a letter', 'https://sh\u043ep.example/'],
  ['Latin look-alike of a letter', 'https://\u0455hop.example/'],
  ['punycode of the look-alike', 'https://xn--shp-5cd.example/'],
  ['Unicode spelling of an allowed name', 'https://b\u00fccher.example/'],
  ['decimal address', 'https://3627734734/'],
  ['soft hyphen in the host', 'https://sh\u00adop.example/'],
  ['lone surrogate', '/\ud800'],
  ['broken percent', '/%zz'],
  ['relative name that looks like a host', 'evil.example'],
  ['ftp', 'ftp://shop.example/'],
  ['file', 'file:///etc/passwd'],
  ['view-source', 'view-source:https://evil.example'],
  ['double path behind an allowed host', 'https://shop.example//evil.example'],
  ['very long', `/${'a'.repeat(5000)}`],
];

describe('ASVS V3.7.2: what could lead to another site goes to the fallback', () => {
  test.each(attacks)('%s', (_name, target) => expect(to(target)).toBe(fallback));

  test.each([undefined, null, '', 7, true, {}, [], ['/a'], ['/a', '//evil'], { toString: () => '/a' }])(
    'no text: %p',
    (target) => expect(to(target)).toBe(fallback),
  );

  test('the browser of the WHATWG, given any text that passes, stays on this site', () => {
    const piece = fc.constantFrom(
      ...[
        '/',
        '\\',
        '.',
        '..',
        '%2f',
        '%5c',
        '%2e',
        '%09',
        '\t',
        '\n',
        '@',
        ':',
        '?',
        '#',
        'evil.example',
        'https:',
        'http:',
      ],
      ...[
        'javascript:',
        '//',
        '%25',
        '\u2028',
        '\uff0f',
        ' ',
        'a',
        '[',
        ']',
        '%',
        '%0d',
        ';',
        '&',
        '=',
        '\u3002',
      ],
    );
    const text = fc.array(piece, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (target) => {
        const location = to(target);
        const landed = new URL(location, 'https://library.example/deep/page?x');
        assert.equal(landed.origin, 'https://library.example');
        // A client that decodes first, or takes backslashes for slashes, stays as well.
        for (const reading of [location.replaceAll('\\', '/'), decoded(location)]) {
          assert.equal(new URL(reading, 'https://library.example/').origin, 'https://library.example');
        }
        assert.match(location, /^[\x21-\x7e]+$/);
      }),
      { numRuns: 5000 },
    );
  });
});

/** What a careless reader makes of it; a percent sign that encodes nothing stays one. */
function decoded(location: string): string {
  return location.replaceAll(/%[0-7][0-9a-f]/gi, (code) => decodeURIComponent(code));
}

describe('relative targets', () => {
  const { to: from } = createRedirects({ base: '/books/12/edit', fallback });
  test.each([
    ['?page=2', '/books/12/edit?page=2'],
    ['loans', '/books/12/loans'],
    ['../13', '/books/13'],
    ['../../../../etc', '/etc'],
    ['#top', '/books/12/edit#top'],
  ])('%s is resolved against the base', (target, location) => expect(from(target)).toBe(location));

  test.each([
    '..//evil.example',
    'javascript:alert(1)',
    '\\evil.example',
    './/../..//evil.example',
    '../..//evil.example',
  ])('%p stays an attack', (target) => {
    expect(new URL(from(target), 'https://library.example').origin).toBe('https://library.example');
    expect(from(target).startsWith('//')).toBe(false);
  });
});

describe('options', () => {
  test.each([
    ['*', 'must be an origin'],
    ['shop.example', 'must be an origin'],
    ['https://shop.example/path', 'must be an origin'],
    ['https://user@shop.example', 'must be an origin'],
    ['http://shop.example', 'must be https'],
    ['https://*.example', 'too wide'],
    ['https://*', 'must be an origin'],
    ['null', 'must be an origin'],
    ['javascript://shop.example', 'must be an origin'],
  ])('allow: %s does not start', (entry, problem) => {
    expect(() => createRedirects({ allow: [entry] })).toThrow(problem);
  });

  test('a fallback that is itself a redirect to elsewhere does not start', () => {
    for (const wrong of ['//evil.example', 'https://evil.example', 'home', '/\\evil'])
      expect(() => createRedirects({ fallback: wrong })).toThrow('fallback must itself be a safe target');
    expect(() => createRedirects({ base: '//evil.example' })).toThrow('base must itself be a safe target');
    expect(createRedirects({ allow, fallback: 'https://shop.example/' }).to('//x')).toBe(
      'https://shop.example/',
    );
    expect(() => createRedirects({ alow: [] } as never)).toThrow('Did you mean "allow"?');
  });
});

test('a refusal is an event with its reason and without the target; nothing asked for is none', () => {
  const events = createEvents();
  const seen: SecurityEvent[] = [];
  events.on('*', (event) => seen.push(event));
  const redirects = createRedirects({ events });
  redirects.to('//evil.example');
  redirects.to(undefined);
  redirects.to('/fine');
  expect(seen).toEqual([{ type: 'redirect.refused', at: expect.any(Number), reason: 'authority' }]);
  expect(redirects.judge('https://evil.example')).toEqual({ allowed: false, reason: 'origin' });
});

onBothExpress((express, major) => {
  const app = express();
  app.get('/in', (req: Request, res: Response) => res.redirect(303, to(req.query['next'])));
  app.get('/open', (req: Request, res: Response) => res.redirect(303, req.query['next'] as string));

  test(`on Express ${major} the Location of every attack is the fallback, where a bare redirect leaves the site`, async () => {
    const leaves: string[] = [];
    for (const [name, target] of attacks) {
      if (!target.isWellFormed()) continue; // Cannot be sent.
      const query = `?next=${encodeURIComponent(target)}`;
      const answer = await request(app).get(`/in${query}`).redirects(0);
      expect([name, answer.status, answer.headers['location']]).toEqual([name, 303, fallback]);
      const bare = await request(app).get(`/open${query}`).redirects(0);
      const location = bare.headers['location'] ?? '';
      if (!URL.canParse(location, 'https://library.example')) continue;
      const landed = new URL(location, 'https://library.example').origin;
      if (landed !== 'https://library.example') leaves.push(name);
    }
    // The control: without the guard most of them lead away.
    expect(leaves.length).toBeGreaterThan(35);
  });

  test('a parameter that comes twice goes to the fallback', async () => {
    const answer = await request(app).get('/in?next=/a&next=//evil.example').redirects(0);
    expect(answer.headers['location']).toBe(fallback);
  });
});
