import { describe, expect, test } from '@jest/globals';
import { eventually } from '@portcullis/test-support';
import type { Client } from '../support/client.js';
import type { OpenLibrary } from '../support/open-library.js';

const AT = '/account/keys';
const endingOf = (text: string): string[] =>
  [...text.matchAll(/action="(\/account\/keys\/[0-9a-f-]{36}\/end)"/g)].map(([, path]) => path!);

/** Keys for programs, made on a page. */
export function apiKeys(library: () => OpenLibrary): void {
  async function made(who: Client, form: Record<string, string>): Promise<Client> {
    const page = await who.submit(AT, { expires: '30d', ...form });
    expect(page.status).toBe(200);
    const key = /class="secret long">(library_[A-Za-z0-9]+)</.exec(page.text)![1]!;
    library().secrets.add(key);
    return Object.assign(library().anonymous(), { token: key });
  }
  const patron = async (name: string): Promise<Client> => {
    const account = { email: `${name}@readers.example`, password: 'seven quiet otters borrow a lamp' };
    const browser = library().anonymous();
    await browser.submit('/register', account);
    await browser.submit('/sign-in', account);
    return browser;
  };

  describe('keys for programs', () => {
    test('a key is shown once, does what was ticked and nothing else, says when it was used, and ends at once', async () => {
      const reader = await patron('keys');
      expect((await reader.get(AT)).text).toContain('You have none.');
      const program = await made(reader, { name: 'Reading list', 'loan:read:own': 'yes' });
      const listed = (await reader.get(AT)).text;
      expect(listed).toContain('Reading list');
      expect(listed).toContain('See your loans');
      expect(listed).toContain('<td>never</td>');
      expect(listed).not.toContain(program.token);

      expect((await program.get('/api/loans')).status).toBe(200);
      expect((await program.post('/api/loans', { bookId: '1' })).status).toBe(403);
      await eventually(async () => expect((await reader.get(AT)).text).not.toContain('<td>never</td>'));
      const kept = await library().house.sql.query<{ row: string }>(
        'select k::text as row from portcullis.auth_api_key k',
      );
      expect(JSON.stringify(kept.rows)).not.toContain(program.token);

      const [end] = endingOf(listed);
      const ended = await reader.submit(end!);
      expect([ended.status, ended.headers['location']]).toEqual([303, `${AT}?done=key-ended`]);
      expect((await program.get('/api/loans')).status).toBe(401);
      expect((await reader.get(AT)).text).toContain('You have none.');
      for (const action of ['person.key-created', 'person.key-revoked']) {
        const { entries } = await library().house.audit.query({ viewer: 'system', action });
        expect(entries[0]).toMatchObject({ target: { type: 'key', id: end!.split('/')[3] } });
      }
    });

    test('a key makes no keys, ends none and sees no page of the account', async () => {
      const reader = await patron('keys-alone');
      const program = await made(reader, { name: 'All', 'loan:read:own': 'yes', 'loan:create': 'yes' });
      const [end] = endingOf((await reader.get(AT)).text);
      const answers = [
        await program.get(AT),
        await program.submit(AT, { name: 'Another', expires: '7d', 'loan:create': 'yes' }),
        await program.submit(end!),
        await program.post('/api/auth/keys', { name: 'Another', scopes: ['loan:create'] }),
        await program.get('/account/sessions'),
        await program.submit('/account/second-factor/start', { password: 'any' }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403]);
      expect((await program.get('/api/loans')).status).toBe(200);
    });

    test('nobody ends the key of somebody else', async () => {
      const program = await made(library().ann.browser, { name: 'Of Ann', 'loan:read:own': 'yes' });
      const [end] = endingOf((await library().ann.browser.get(AT)).text);
      await library().bob.browser.submit(end!);
      expect((await program.get('/api/loans')).status).toBe(200);
      await library().ann.browser.submit(end!);
      expect((await program.get('/api/loans')).status).toBe(401);
    });

    test('a patron is offered no scope of staff, and one that is sent all the same gives nothing', async () => {
      const { ann, staff } = library();
      expect((await ann.browser.get(AT)).text).not.toContain('name="book:create"');
      expect((await staff.browser.get(AT)).text).toContain('name="book:create"');
      const program = await made(ann.browser, { name: 'Too much', 'loan:read:any': 'yes' });
      expect((await program.get('/api/loans/open')).status).toBe(403);
      await ann.browser.submit(endingOf((await ann.browser.get(AT)).text)[0]!);
    });
  });
}
