import { hasCode } from '@portcullis/core';
import { createValidator, validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import { recorded } from '../critical.js';
import type { House } from '../house.js';
import { fieldErrors, passwordProblem, sendPage, typed } from '../pages.js';
import { linkSchema, mailboxSchema, newPasswordSchema } from '../schemas.js';
import type { FieldErrors } from '../views/forms.js';
import { mailboxPage, newPasswordPage } from '../views/mail-pages.js';

const mailbox = createValidator(mailboxSchema, { fromText: true });
const newPassword = createValidator(newPasswordSchema, { fromText: true });
const link = { query: linkSchema } as const;
const HINTS = { email: 'Type an e-mail address.', password: 'Type a password.' };

/** What goes through a mailbox: registration, where it is by mail, and a new password. Off where no message can be sent. */
export function mailPages(house: House): Router {
  const router = Router();
  if (!house.hasMail) return router;
  const { auth, audit, rbac } = house;
  if (house.registration === 'by-mail')
    begin('/register', 'Register', (input) => auth.startRegistration(input));
  begin('/reset', 'Forgotten password', (input) => auth.startReset(input));
  complete('/register', 'registered', 'person.registered', (input, meta) =>
    auth.completeRegistration(input, meta),
  );
  complete('/reset', 'password-reset', 'person.password-reset-by-mail', (input, meta) =>
    auth.completeReset(input, meta),
  );
  return router;

  /** The answer is the same for every address. */
  function begin(path: '/register' | '/reset', title: string, start: House['auth']['startReset']): void {
    const open = rbac.public('everybody may ask for a message');
    router.get(path, open, (req, res) =>
      sendPage(house, req, res, { title, body: (token) => mailboxPage(token, path) }),
    );
    router.post(path, open, async (req, res) => {
      const refuse = (errors: FieldErrors) =>
        sendPage(house, req, res, {
          title,
          status: 400,
          body: (token) => mailboxPage(token, path, typed(req.body)['email'], errors),
        });
      const given = mailbox.check(req.body);
      if (!given.valid) return refuse(fieldErrors(given.errors, HINTS));
      try {
        await start({ login: given.value.email });
      } catch (error) {
        if (!hasCode(error, 'E_VALIDATION')) throw error;
        return refuse({ email: 'This is no e-mail address.' });
      }
      res.redirect(303, '/sign-in?done=mail-sent');
    });
  }

  function complete(
    path: '/register' | '/reset',
    done: 'registered' | 'password-reset',
    action: 'person.registered' | 'person.password-reset-by-mail',
    finish: House['auth']['completeRegistration'],
  ): void {
    const open = rbac.public('whoever has the link of the message');
    const title = 'Choose a password';
    router.get(`${path}/complete`, open, validate(link), (req, res) =>
      sendPage(house, req, res, {
        title,
        body: (token) => newPasswordPage(token, path, validOf(link, req).query.token),
      }),
    );
    router.post(`${path}/complete`, open, async (req, res) => {
      const refuse = (errors: FieldErrors) =>
        sendPage(house, req, res, {
          title,
          status: 400,
          body: (token) => newPasswordPage(token, path, typed(req.body)['token'] ?? '', errors),
        });
      const given = newPassword.check(req.body);
      if (!given.valid) return refuse(fieldErrors(given.errors, HINTS));
      try {
        await recorded(
          audit,
          req,
          {
            requested: `${action}-requested`,
            done: action,
            of: ({ userId }) => ({ target: { type: 'person', id: userId } }),
          },
          () => finish(given.value, auth.metaOf(req)),
        );
      } catch (error) {
        const used = hasCode(error, 'E_LINK_INVALID') || hasCode(error, 'E_ACCOUNT_EXISTS');
        const errors = used
          ? { '': 'This link was used or is too old. Ask for another one.' }
          : passwordProblem(error);
        if (!errors) throw error;
        return refuse(errors);
      }
      // Sessions have ended with the old password, this one too if there was one.
      auth.cookies.clear(res);
      house.formToken.rotate(req, res);
      res.redirect(303, `/sign-in?done=${done}`);
    });
  }
}
