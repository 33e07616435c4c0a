import { describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { mailOf } from '../../src/messages.js';
import type { OpenLibrary } from '../support/open-library.js';

const PASSWORD = 'seven quiet otters borrow a lamp';
const ANOTHER = 'nine loud herons return a candle';

/** What goes through a mailbox: a new password, and registration where it is by mail. */
export function mail(library: () => OpenLibrary): void {
  const linkTo = async (type: 'reset-password' | 'complete-registration', email: string): Promise<string> => {
    await library().house.auth.settled();
    const message = library()
      .mail.to(email)
      .findLast((one) => one.type === type)!;
    const { text } = mailOf(message, 'https://library.example');
    const [, path, token] = /https:\/\/library\.example(\/\S+\?token=(\S+))/.exec(text)!;
    library().secrets.add(token!);
    return path!;
  };
  const tokenOf = (path: string): string => path.split('token=')[1]!;
  const seen = ({ status, headers, text }: Response) => ({ status, location: headers['location'], text });

  describe('messages', () => {
    test('a forgotten password: the same answer for every address, a link that counts once, and all sessions end', async () => {
      const email = 'forgetful@readers.example';
      for (const secret of [PASSWORD, ANOTHER]) library().secrets.add(secret);
      const desk = library().anonymous();
      await desk.submit('/register', { email, password: PASSWORD });
      await desk.submit('/sign-in', { email, password: PASSWORD });

      const known = await library().anonymous().submit('/reset', { email });
      const unknown = await library().anonymous().submit('/reset', { email: 'nobody.here@readers.example' });
      expect(seen(known)).toEqual({ ...seen(unknown), status: 303, location: '/sign-in?done=mail-sent' });
      const link = await linkTo('reset-password', email);
      expect(library().mail.to('nobody.here@readers.example')).toEqual([]);

      const browser = library().anonymous();
      const page = await browser.get(link);
      expect([page.status, page.text]).toEqual([200, expect.stringContaining('New password')]);
      const choose = (password: string) =>
        browser.submit('/reset/complete', { token: tokenOf(link), password });
      const weak = await choose('short');
      expect([weak.status, weak.text]).toEqual([400, expect.stringContaining('12 characters')]);
      expect((await desk.get('/loans')).status).toBe(200);

      const changed = await choose(ANOTHER);
      expect([changed.status, changed.headers['location']]).toEqual([303, '/sign-in?done=password-reset']);
      expect((await desk.get('/loans')).status).toBe(401);
      const again = await choose(PASSWORD);
      expect([again.status, again.text]).toEqual([400, expect.stringContaining('Ask for another one.')]);
      expect((await desk.elsewhere().submit('/sign-in', { email, password: PASSWORD })).status).toBe(401);
      expect((await library().anonymous().submit('/sign-in', { email, password: ANOTHER })).status).toBe(303);
      const { entries } = await library().house.audit.query({
        viewer: 'system',
        action: 'person.password-reset-by-mail',
      });
      expect(entries[0]).toMatchObject({ outcome: 'success', target: { type: 'person' } });
    });

    test('registration by mail: the same answer whether there is an account, and none before the link is used', async () => {
      const { house, ann } = library();
      const byMail = await library().served({ ...house, registration: 'by-mail' });
      try {
        const email = 'by.mail@readers.example';
        const at = () => library().anonymous().at(byMail.url);
        expect((await at().get('/register')).text).not.toContain('name="password"');
        const free = await at().submit('/register', { email });
        const taken = await at().submit('/register', { email: ann.email });
        expect(seen(free)).toEqual({ ...seen(taken), status: 303, location: '/sign-in?done=mail-sent' });
        const link = await linkTo('complete-registration', email);
        expect(library().mail.to(ann.email).at(-1)).toMatchObject({ type: 'account-exists' });
        expect(await house.people.findByLogin(email)).toBeUndefined();

        expect((await at().get(link)).status).toBe(200);
        const form = { token: tokenOf(link), password: PASSWORD };
        const done = await at().submit('/register/complete', form);
        expect([done.status, done.headers['location']]).toEqual([303, '/sign-in?done=registered']);
        expect((await at().submit('/register/complete', form)).status).toBe(400);
        expect((await at().submit('/sign-in', { email, password: PASSWORD })).status).toBe(303);
      } finally {
        byMail.close();
      }
    });

    test('where no message can be sent, no page promises one', async () => {
      const mute = await library().served({ ...library().house, hasMail: false });
      try {
        const client = library().anonymous().at(mute.url);
        expect((await client.get('/reset')).status).toBe(404);
        expect((await client.get('/sign-in')).text).not.toContain('/reset');
        expect((await library().anonymous().get('/sign-in')).text).toContain('href="/reset"');
      } finally {
        mute.close();
      }
    });
  });
}
