import { describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { mailOf } from '../../src/messages.js';
import type { OpenLibrary } from '../support/open-library.js';

const PASSWORD = 'seven quiet otters borrow a lamp';
const ANOTHER = 'nine loud herons return a candle';

/** What goes through a mailbox: a new password, and registration where it is by mail. */
export function mail(library: () => OpenLibrary): void {
  type LinkType = 'reset-password' | 'complete-registration' | 'confirm-login';
  const linkTo = async (type: LinkType, email: string): Promise<string> => {
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

    test('another address: asked for with the password, confirmed by a link that goes to it, and told to the one before', async () => {
      const [before, after] = ['moves@readers.example', 'has.moved@readers.example'];
      const desk = library().anonymous();
      await desk.submit('/register', { email: before, password: PASSWORD });
      await desk.submit('/sign-in', { email: before, password: PASSWORD });
      expect((await desk.get('/account/email')).text).toContain(before);
      const ask = (email: string, password: string) => desk.submit('/account/email', { email, password });
      const wrong = await ask(after, ANOTHER);
      expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('The password is wrong')]);
      const none = await ask('no address', PASSWORD);
      expect([none.status, none.text]).toEqual([400, expect.stringContaining('This is no e-mail address.')]);
      // Of an address that somebody has, the page says the same; the mailbox says the rest.
      const taken = await ask(library().ann.email, PASSWORD);
      const free = await ask(after, PASSWORD);
      expect(seen(free)).toEqual({ ...seen(taken), status: 303, location: '/account/email?done=mail-sent' });
      const link = await linkTo('confirm-login', after);
      expect(
        library()
          .mail.to(before)
          .map(({ type }) => type),
      ).toContain('login-change-asked');

      const telephone = library().anonymous();
      expect((await telephone.get(link)).status).toBe(200);
      expect((await desk.get('/loans')).status).toBe(200);
      const done = await telephone.submit('/account/email/complete', { token: tokenOf(link) });
      expect([done.status, done.headers['location']]).toEqual([303, '/sign-in?done=email-changed']);
      expect((await desk.get('/loans')).status).toBe(401);
      const again = await telephone.submit('/account/email/complete', { token: tokenOf(link) });
      expect([again.status, again.text]).toEqual([400, expect.stringContaining('used or is too old')]);
      const signIn = (email: string) =>
        library().anonymous().submit('/sign-in', { email, password: PASSWORD });
      expect([(await signIn(before)).status, (await signIn(after)).status]).toEqual([401, 303]);
      await library().house.auth.settled();
      expect(library().mail.to(before).at(-1)).toMatchObject({ type: 'login-changed' });
    });

    test('an account may begin with a passkey: the link of the message offers it where passkeys are, and its owner is stored without a password', async () => {
      const { house } = library();
      const byMail = await library().served({ ...house, registration: 'by-mail' });
      try {
        const at = () => library().anonymous().at(byMail.url);
        const email = 'no.password@readers.example';
        await at().submit('/register', { email });
        const page = await at().get(await linkTo('complete-registration', email));
        expect(page.text).toContain('data-passkey="account"');
        expect(page.text).toContain('/assets/passkeys.js');
        expect(page.headers['content-security-policy']).not.toContain('unsafe');
        const user = await house.people.create({
          login: email,
          passwordHash: null,
          emailVerified: false,
        });
        expect(user).toMatchObject({ passwordHash: null, emailVerified: false });
        expect(await house.people.markVerified!(user!.id, 'other@readers.example')).toBe(false);
        expect(await house.people.markVerified!(user!.id, email)).toBe(true);
        expect(await house.people.findById(user!.id)).toMatchObject({ emailVerified: true });
      } finally {
        byMail.close();
      }
    });

    test('another address without a password: the page asks for none, and for a passkey that was just shown', async () => {
      const { house } = library();
      const [before, after] = ['keeps.a.passkey@readers.example', 'kept.a.passkey@readers.example'];
      const desk = library().anonymous();
      await desk.submit('/register', { email: before, password: PASSWORD });
      await desk.submit('/sign-in', { email: before, password: PASSWORD });
      const { id, passwordHash } = (await house.people.findByLogin(before))!;
      await house.people.saveCredential(id, { passwordHash: null, replaces: passwordHash! });
      const page = await desk.get('/account/email');
      expect(page.text).toContain('href="/sign-in?next=/account/email"');
      expect(page.text).not.toContain('name="password"');
      const ask = () => desk.submit('/account/email', { email: after });
      expect((await ask()).status).toBe(303);
      await linkTo('confirm-login', after);
      // This session is of level 1: it never saw the passkey.
      const facts = { transports: [], backupEligible: false, backedUp: false, name: 'Key', lastUsedAt: null };
      const passkey = { id: 'keeps', userId: id, publicKey: 'AAAA', counter: 0, createdAt: 0, ...facts };
      await house.people.passkeys!.add(passkey, 10);
      const refused = await ask();
      expect([refused.status, refused.text]).toEqual([
        403,
        expect.stringContaining('with your passkey again'),
      ]);
    });

    test('where nobody may register, no page offers it', async () => {
      const closed = await library().served({ ...library().house, registration: 'off' });
      try {
        const client = library().anonymous().at(closed.url);
        expect((await client.get('/register')).status).toBe(404);
        for (const path of ['/books', '/sign-in'])
          expect((await client.get(path)).text).not.toContain('/register');
      } finally {
        closed.close();
      }
    });

    test('where no message can be sent, no page promises one', async () => {
      const mute = await library().served({ ...library().house, hasMail: false });
      try {
        const client = library().anonymous().at(mute.url);
        expect((await client.get('/reset')).status).toBe(404);
        const own = await library().bob.browser.at(mute.url).get('/account/email');
        expect([own.status, own.text]).toEqual([200, expect.stringContaining('sends no messages')]);
        expect((await client.get('/sign-in')).text).not.toContain('/reset');
        expect((await library().anonymous().get('/sign-in')).text).toContain('href="/reset"');
      } finally {
        mute.close();
      }
    });
  });
}
