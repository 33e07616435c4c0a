import { describe, expect, test } from '@jest/globals';
import { parseUrl } from '../src/index.js';

describe('parseUrl()', () => {
  test('says the same however often it is asked (URL.canParse() of Node.js 20 changes its mind about Latin-1)', () => {
    const wrong = [];
    for (let i = 0; i < 50_000; i++) if (!parseUrl('https://b\u00fccher.example/')) wrong.push(i);
    expect(wrong).toEqual([]);
  });

  test('what is no URL is undefined, and what is relative needs a base', () => {
    expect(parseUrl('')).toBeUndefined();
    expect(parseUrl('/path')).toBeUndefined();
    expect(parseUrl('https://')).toBeUndefined();
    expect(parseUrl('/path', 'https://library.example/x')?.href).toBe('https://library.example/path');
    expect(parseUrl('?q', new URL('https://library.example/x'))?.href).toBe('https://library.example/x?q');
  });
});
