import { createValidator, validate } from '@portcullis/validation';
import { Router, type Request } from 'express';
import { idOf, personOf } from '../acting.js';
import { recorded } from '../critical.js';
import { showForm, takeForm, type Form } from '../forms.js';
import type { House } from '../house.js';
import { emailChangeSchema, linkSchema, mailboxSchema, noticeSchema } from '../schemas.js';
import { confirmEmailPage, emailPage } from '../views/email-pages.js';

const AT = '/account/email';
const change = createValidator(emailChangeSchema, { fromText: true });
const changeWithout = createValidator(mailboxSchema, { fromText: true });
const confirmation = createValidator(linkSchema, { fromText: true });
const link = { query: linkSchema } as const;
const notice = { query: noticeSchema } as const;

/** Another e-mail address: asked for with the password, or after a passkey where there is none, and confirmed by a link that goes to it. */
export function emailPages(house: House): Router {
  const { auth, audit, rbac, people, hasMail } = house;
  const router = Router();
  const inPerson = auth.inPerson();
  const own = rbac.public('everybody has their own address');

  const hasPassword = async (req: Request): Promise<boolean> =>
    Boolean((await people.findById(idOf(req)))?.passwordHash);
  const asking: Form<{ readonly email: string; readonly password?: string }> = {
    title: 'E-mail address',
    validator: change,
    hints: { email: 'Type an e-mail address.', password: 'Type your password.' },
    async page(req, values, errors) {
      const person = await people.find(idOf(req));
      const shown = {
        now: person?.email ?? '',
        email: values['email'],
        hasMail,
        hasPassword: await hasPassword(req),
      };
      return (token) => emailPage(token, shown, errors);
    },
    async submit({ email, password }, req, res) {
      const given = { login: email, ...(password === undefined ? {} : { password }) };
      await auth.startLoginChange(personOf(req), given, auth.metaOf(req));
      res.redirect(303, `${AT}?done=mail-sent`);
      return undefined;
    },
    refusals: {
      E_VALIDATION: { status: 400, errors: { email: 'This is no e-mail address.' } },
      E_PASSWORD_WRONG: {
        status: 400,
        errors: { password: 'The password is wrong, or there were too many attempts.' },
      },
      E_STEP_UP_REQUIRED: {
        status: 403,
        errors: { '': 'Sign in with your passkey again, and ask within five minutes.' },
      },
    },
  };
  const askingWithout: typeof asking = { ...asking, validator: changeWithout };
  router.get(AT, inPerson, own, validate(notice), showForm(house, asking));
  if (!hasMail) return router;
  const [take, takeWithout] = [takeForm(house, asking), takeForm(house, askingWithout)];
  router.post(AT, inPerson, own, async (req, res, next) =>
    (await hasPassword(req)) ? take(req, res, next) : takeWithout(req, res, next),
  );

  // The mailbox may be open on another device: whoever has the link need not be signed in.
  const open = rbac.public('whoever has the link of the message');
  const confirming: Form<{ readonly token: string }> = {
    title: 'Confirm your address',
    validator: confirmation,
    hints: {},
    fromAddress: ['token'],
    page: (_req, values, errors) => (token) => confirmEmailPage(token, values['token'] ?? '', errors),
    async submit(given, req, res) {
      await recorded(
        audit,
        req,
        {
          requested: 'person.login-change-requested',
          done: 'person.login-changed',
          of: ({ userId }) => ({ target: { type: 'person', id: userId } }),
        },
        () => auth.completeLoginChange(given),
      );
      auth.cookies.clear(res);
      house.formToken.rotate(req, res);
      res.redirect(303, '/sign-in?done=email-changed');
      return undefined;
    },
    refusals: {
      E_LINK_INVALID: {
        status: 400,
        errors: { '': 'This link was used or is too old. Ask for another one.' },
      },
    },
  };
  router.get(`${AT}/complete`, open, validate(link), showForm(house, confirming));
  router.post(`${AT}/complete`, open, takeForm(house, confirming));
  return router;
}
