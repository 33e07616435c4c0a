import { createValidator, validate } from '@portcullis/validation';
import { Router } from 'express';
import { recorded } from '../critical.js';
import { showForm, takeForm, type Form } from '../forms.js';
import type { House } from '../house.js';
import { passwordProblem } from '../pages.js';
import { linkSchema, mailboxSchema, newPasswordSchema } from '../schemas.js';
import { mailboxPage, newPasswordPage } from '../views/mail-pages.js';

const mailbox = createValidator(mailboxSchema, { fromText: true });
const newPassword = createValidator(newPasswordSchema, { fromText: true });
const link = { query: linkSchema } as const;
const NO_ADDRESS = { status: 400, errors: { email: 'This is no e-mail address.' } };
const USED = { status: 400, errors: { '': 'This link was used or is too old. Ask for another one.' } };

/** What goes through a mailbox: registration, where it is by mail, and a new password. Off where no message can be sent. */
export function mailPages(house: House): Router {
  const router = Router();
  if (!house.hasMail) return router;
  const { auth, audit, rbac } = house;
  if (house.registration === 'by-mail')
    begin('/register', 'Register', (input) => auth.startRegistration(input));
  if (house.registration !== 'off') {
    complete('/register', 'registered', 'person.registered', (input, meta) =>
      auth.completeRegistration(input, meta),
    );
  }
  begin('/reset', 'Forgotten password', (input) => auth.startReset(input));
  complete('/reset', 'password-reset', 'person.password-reset-by-mail', (input, meta) =>
    auth.completeReset(input, meta),
  );
  return router;

  /** The answer is the same for every address. */
  function begin(path: '/register' | '/reset', title: string, start: House['auth']['startReset']): void {
    const open = rbac.public('everybody may ask for a message');
    const form: Form<{ readonly email: string }> = {
      title,
      validator: mailbox,
      hints: { email: 'Type an e-mail address.' },
      page: (_req, values, errors) => (token) => mailboxPage(token, path, values['email'], errors),
      async submit({ email }, _req, res) {
        await start({ login: email });
        res.redirect(303, '/sign-in?done=mail-sent');
        return undefined;
      },
      refusals: { E_VALIDATION: NO_ADDRESS },
    };
    router.get(path, open, showForm(house, form));
    router.post(path, open, takeForm(house, form));
  }

  function complete(
    path: '/register' | '/reset',
    done: 'registered' | 'password-reset',
    action: 'person.registered' | 'person.password-reset-by-mail',
    finish: House['auth']['completeRegistration'],
  ): void {
    const open = rbac.public('whoever has the link of the message');
    const passkeys = path === '/register' && house.hasPasskeys;
    const form: Form<{ readonly token: string; readonly password: string }> = {
      title: passkeys ? 'Password or passkey' : 'Choose a password',
      ...(passkeys ? { script: '/assets/passkeys.js' } : {}),
      validator: newPassword,
      hints: { password: 'Type a password.' },
      fromAddress: ['token'],
      page: (_req, values, errors) => (token) =>
        newPasswordPage(token, { path, link: values['token'] ?? '', passkeys }, errors),
      async submit(given, req, res) {
        await recorded(
          audit,
          req,
          {
            requested: `${action}-requested`,
            done: action,
            of: ({ userId }) => ({ target: { type: 'person', id: userId } }),
          },
          () => finish(given, auth.metaOf(req)),
        );
        // Sessions have ended with the old password, this one too if there was one.
        auth.cookies.clear(res);
        house.formToken.rotate(req, res);
        res.redirect(303, `/sign-in?done=${done}`);
        return undefined;
      },
      refusals: {
        E_LINK_INVALID: USED,
        E_ACCOUNT_EXISTS: USED,
        E_PASSWORD_POLICY: (error) => ({ status: 400, errors: passwordProblem(error) ?? {} }),
      },
    };
    router.get(`${path}/complete`, open, validate(link), showForm(house, form));
    router.post(`${path}/complete`, open, takeForm(house, form));
  }
}
