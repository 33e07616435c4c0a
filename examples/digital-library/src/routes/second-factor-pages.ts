import { hasCode } from '@portcullis/core';
import { createRedirects, createValidator, validate, validOf } from '@portcullis/validation';
import { Router, type Request, type RequestHandler } from 'express';
import { idOf, personOf } from '../acting.js';
import { recorded } from '../critical.js';
import { enter } from '../entering.js';
import { takeForm, type Form } from '../forms.js';
import type { House } from '../house.js';
import { fieldErrors, sendPage, typed } from '../pages.js';
import { challengeSchema, confirmationSchema, noticeSchema, passwordSchema, totpSchema } from '../schemas.js';
import { signInPage } from '../views/account-pages.js';
import { offersOf } from './account-pages.js';
import type { FieldErrors } from '../views/forms.js';
import {
  challengePage,
  enrolPage,
  factorOffPage,
  factorOnPage,
  recoveryCodesPage,
} from '../views/second-factor-pages.js';

const TITLE = 'Second factor';
const AT = '/account/second-factor';
const notice = { query: noticeSchema } as const;
const challenge = createValidator(challengeSchema, { fromText: true });
const confirmation = createValidator(confirmationSchema, { fromText: true });
const password = createValidator(passwordSchema, { fromText: true });
const totp = createValidator(totpSchema, { fromText: true });
const HINTS = { password: 'Type your password.', code: 'Type the code.' };
const WRONG_CODE = 'This code is wrong or was used already. Wait for the next one.';
const STEP_UP = 'Your account has a passkey. Sign in with it, and set up the app then.';

/** Codes of authenticator apps: the second step of signing in, and the page that turns them on and off. */
export function secondFactorPages(house: House): Router {
  const { auth, audit, rbac, people, events } = house;
  const redirects = createRedirects({ fallback: '/books', events });
  const router = Router();
  const inPerson = auth.inPerson();
  const own = rbac.public('everybody has their own second factor');

  const isOn = async (req: Request): Promise<boolean> => {
    const person = await people.findById(idOf(req));
    return typeof person?.factors === 'string';
  };
  const changing = <T>(req: Request, change: () => Promise<T>) =>
    recorded(
      audit,
      req,
      { requested: 'person.factors-change-requested', done: 'person.factors-changed' },
      change,
    );

  router.post('/sign-in/complete', rbac.public('everybody may register and sign in'), async (req, res) => {
    const given = challenge.check(req.body);
    const values = typed(req.body);
    const refuse = (status: number, errors: FieldErrors) =>
      sendPage(house, req, res, {
        title: 'One more step',
        status,
        body: (token) =>
          challengePage(token, { challenge: values['challenge'] ?? '', next: values['next'] }, errors),
      });
    if (!given.valid) return refuse(400, fieldErrors(given.errors, HINTS));
    try {
      await enter(house, req, res, await auth.completeSignIn(given.value, auth.metaOf(req)));
    } catch (error) {
      const tooLate = hasCode(error, 'E_CHALLENGE_INVALID');
      if (!tooLate && !hasCode(error, 'E_FACTOR_WRONG')) throw error;
      await audit.record({ action: 'person.sign-in-refused', outcome: 'denied', request: req });
      if (!tooLate) return refuse(401, { code: WRONG_CODE });
      return sendPage(house, req, res, {
        title: 'Sign in',
        status: 401,
        script: '/assets/passkeys.js',
        body: (token) =>
          signInPage(token, offersOf(house), values, {
            '': 'That took too long, or was done already. Sign in again.',
          }),
      });
    }
    res.redirect(303, redirects.to(given.value.next));
  });

  router.get(AT, inPerson, own, validate(notice), async (req, res) => {
    const on = await isOn(req);
    await sendPage(house, req, res, {
      title: TITLE,
      done: validOf(notice, req).query.done,
      body: (token) => (on ? factorOnPage(token) : factorOffPage(token)),
    });
  });

  /** Whoever has one turns it off first, with a code of it; whoever has none has nothing to renew. */
  const only =
    (on: boolean): RequestHandler =>
    async (req, res, next) =>
      (await isOn(req)) === on ? next() : res.redirect(303, AT);

  const starting: Form<{ readonly password: string }> = {
    title: TITLE,
    validator: password,
    hints: HINTS,
    page: (_req, _values, errors) => (token) => factorOffPage(token, errors),
    async submit(given, req, res) {
      const start = await auth.startTotp(personOf(req), given, auth.metaOf(req));
      await sendPage(house, req, res, { title: TITLE, body: (token) => enrolPage(token, start) });
      return undefined;
    },
    refusals: REFUSALS,
  };
  router.post(`${AT}/start`, inPerson, own, only(false), takeForm(house, starting));

  const confirming: Form<{ readonly token: string; readonly code: string }> = {
    title: TITLE,
    validator: totp,
    hints: HINTS,
    page: (_req, values, errors) => (token) => enrolPage(token, { token: values['token'] ?? '' }, errors),
    async submit(given, req, res) {
      const { recoveryCodes } = await changing(req, () => auth.confirmTotp(personOf(req), given));
      await sendPage(house, req, res, { title: TITLE, body: recoveryCodesPage(recoveryCodes) });
      return undefined;
    },
    refusals: REFUSALS,
  };
  router.post(`${AT}/confirm`, inPerson, own, takeForm(house, confirming));

  confirmed('recovery-codes', async (given, req, res) => {
    const { recoveryCodes } = await changing(req, () =>
      auth.renewRecoveryCodes(personOf(req), given, auth.metaOf(req)),
    );
    await sendPage(house, req, res, { title: TITLE, body: recoveryCodesPage(recoveryCodes) });
    return undefined;
  });
  confirmed('remove', async (given, req, res) => {
    await changing(req, () => auth.removeTotp(personOf(req), given, auth.metaOf(req)));
    res.redirect(303, `${AT}?done=factor-off`);
    return undefined;
  });
  return router;

  /** What needs the password and a code. */
  function confirmed(form: 'recovery-codes' | 'remove', submit: Form<Confirmation>['submit']): void {
    const both: Form<Confirmation> = {
      title: TITLE,
      validator: confirmation,
      hints: HINTS,
      page: (_req, _values, errors) => (token) => factorOnPage(token, { form, errors }),
      submit,
      refusals: REFUSALS,
    };
    router.post(`${AT}/${form}`, inPerson, own, only(true), takeForm(house, both));
  }
}

interface Confirmation {
  readonly password: string;
  readonly code: string;
}

const REFUSALS: Form<unknown>['refusals'] = {
  E_PASSWORD_WRONG: {
    status: 400,
    errors: { password: 'The password is wrong, or there were too many attempts.' },
  },
  E_FACTOR_WRONG: { status: 400, errors: { code: WRONG_CODE } },
  E_LINK_INVALID: {
    status: 400,
    errors: { '': 'That took too long, or was done already. Begin again.' },
  },
  E_STEP_UP_REQUIRED: { status: 403, errors: { '': STEP_UP } },
};
