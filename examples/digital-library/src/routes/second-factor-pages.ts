import { hasCode, isSecurityError } from '@portcullis/core';
import { createRedirects, createValidator, validate, validOf } from '@portcullis/validation';
import { Router, type Request, type Response } from 'express';
import { idOf } from '../acting.js';
import { recorded } from '../critical.js';
import { enter } from '../entering.js';
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
  const show = (req: Request, res: Response, body: Parameters<typeof sendPage>[3]['body'], status = 200) =>
    sendPage(house, req, res, { title: TITLE, status, body });
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

  router.post(`${AT}/start`, inPerson, own, async (req, res) => {
    // Whoever has one turns it off first, with a code of it.
    if (await isOn(req)) return res.redirect(303, AT);
    const refuse = (status: number, errors: FieldErrors) =>
      show(req, res, (token) => factorOffPage(token, errors), status);
    const given = password.check(req.body);
    if (!given.valid) return refuse(400, fieldErrors(given.errors, HINTS));
    try {
      const start = await auth.startTotp(personOf(req), given.value, auth.metaOf(req));
      await show(req, res, (token) => enrolPage(token, start));
    } catch (error) {
      const { status, errors } = refusalOf(error);
      await refuse(status, errors);
    }
  });

  router.post(`${AT}/confirm`, inPerson, own, async (req, res) => {
    const given = totp.check(req.body);
    const refuse = (status: number, errors: FieldErrors) =>
      show(req, res, (token) => enrolPage(token, { token: typed(req.body)['token'] ?? '' }, errors), status);
    if (!given.valid) return refuse(400, fieldErrors(given.errors, HINTS));
    try {
      const { recoveryCodes } = await changing(req, () => auth.confirmTotp(personOf(req), given.value));
      await show(req, res, recoveryCodesPage(recoveryCodes));
    } catch (error) {
      const { status, errors } = refusalOf(error);
      await refuse(status, errors);
    }
  });

  router.post(`${AT}/recovery-codes`, inPerson, own, async (req, res) => {
    await confirmed('recovery-codes', req, res, async (given) => {
      const { recoveryCodes } = await changing(req, () =>
        auth.renewRecoveryCodes(personOf(req), given, auth.metaOf(req)),
      );
      await show(req, res, recoveryCodesPage(recoveryCodes));
    });
  });

  router.post(`${AT}/remove`, inPerson, own, async (req, res) => {
    await confirmed('remove', req, res, async (given) => {
      await changing(req, () => auth.removeTotp(personOf(req), given, auth.metaOf(req)));
      res.redirect(303, `${AT}?done=factor-off`);
    });
  });
  return router;

  /** What needs the password and a code; refused, the page comes again and says why. */
  async function confirmed(
    form: 'recovery-codes' | 'remove',
    req: Request,
    res: Response,
    run: (given: { readonly password: string; readonly code: string }) => Promise<void>,
  ): Promise<void> {
    if (!(await isOn(req))) return res.redirect(303, AT);
    const refuse = (status: number, errors: FieldErrors) =>
      show(req, res, (token) => factorOnPage(token, { form, errors }), status);
    const given = confirmation.check(req.body);
    if (!given.valid) return refuse(400, fieldErrors(given.errors, HINTS));
    try {
      await run(given.value);
    } catch (error) {
      const { status, errors } = refusalOf(error);
      await refuse(status, errors);
    }
  }
}

function personOf(req: Request) {
  const { principal } = req.security;
  if (principal.kind === 'anonymous') throw new TypeError('This route has no guard.');
  return principal;
}

/** A refusal in the words of the form. @throws what is no fault of the form */
function refusalOf(error: unknown): { readonly status: number; readonly errors: FieldErrors } {
  if (!isSecurityError(error)) throw error;
  switch (error.code) {
    case 'E_PASSWORD_WRONG':
      return { status: 400, errors: { password: 'The password is wrong, or there were too many attempts.' } };
    case 'E_FACTOR_WRONG':
      return { status: 400, errors: { code: WRONG_CODE } };
    case 'E_LINK_INVALID':
      return { status: 400, errors: { '': 'That took too long, or was done already. Begin again.' } };
    case 'E_STEP_UP_REQUIRED':
      return { status: 403, errors: { '': STEP_UP } };
    default:
      throw error;
  }
}
