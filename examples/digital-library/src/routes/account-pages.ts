import { hasCode, isSecurityError } from '@portcullis/core';
import { clearSiteData } from '@portcullis/headers';
import { createRedirects, createValidator, validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import { recorded } from '../critical.js';
import { enter } from '../entering.js';
import { showForm, takeForm, type Form } from '../forms.js';
import type { House } from '../house.js';
import { fieldErrors, passwordProblem, sendPage, typed } from '../pages.js';
import { accountSchema, signInSchema } from '../schemas.js';
import { registerPage, signInPage, type SignInOffers } from '../views/account-pages.js';
import type { FieldErrors } from '../views/forms.js';
import { challengePage } from '../views/second-factor-pages.js';

const account = createValidator(accountSchema, { fromText: true });
type Account = Extract<ReturnType<typeof account.check>, { readonly valid: true }>['value'];
const HINTS = { email: 'Type an e-mail address.', password: 'Type a password.' };
const SCRIPT = '/assets/passkeys.js';
const signIn = { query: signInSchema } as const;

/** Register, sign in, sign out: the flows of `@portcullis/auth` behind forms. */
export function accountPages(house: House): Router {
  const { auth, audit, rbac, events, formToken } = house;
  const offers = offersOf(house);
  const redirects = createRedirects({ fallback: '/books', events });
  const router = Router();
  const open = rbac.public('everybody may register and sign in');

  if (house.registration === 'open') {
    const form: Form<Account> = {
      title: 'Register',
      validator: account,
      hints: HINTS,
      page: (_req, values, errors) => (token) => registerPage(token, values, errors),
      async submit({ email, password }, req, res) {
        await recorded(
          audit,
          req,
          {
            requested: 'person.registration-requested',
            done: 'person.registered',
            of: ({ userId }) => ({ target: { type: 'person', id: userId } }),
          },
          () => auth.register({ login: email, password }, auth.metaOf(req)),
        );
        res.redirect(303, '/sign-in?done=registered');
        return undefined;
      },
      refusals: {
        E_PASSWORD_POLICY: (error) => ({ status: 400, errors: passwordProblem(error) ?? {} }),
        E_ACCOUNT_EXISTS: {
          status: 409,
          errors: { email: 'There is an account with this address already.' },
        },
        E_VALIDATION: { status: 400, errors: { email: 'This is no e-mail address.' } },
      },
    };
    router.get('/register', open, showForm(house, form));
    router.post('/register', open, takeForm(house, form));
  }

  router.get('/sign-in', open, validate(signIn), async (req, res) => {
    const { done, next } = validOf(signIn, req).query;
    await sendPage(house, req, res, {
      title: 'Sign in',
      done,
      script: SCRIPT,
      body: (token) => signInPage(token, offers, { next }),
    });
  });

  router.post('/sign-in', open, async (req, res) => {
    const values = typed(req.body);
    const refuse = (status: number, errors: FieldErrors) =>
      sendPage(house, req, res, {
        title: 'Sign in',
        status,
        script: SCRIPT,
        body: (token) => signInPage(token, offers, values, errors),
      });
    const given = account.check(req.body);
    if (!given.valid) return refuse(400, fieldErrors(given.errors, HINTS));
    try {
      const pair = await auth.signIn(
        { login: given.value.email, password: given.value.password },
        auth.metaOf(req),
      );
      await enter(house, req, res, pair);
    } catch (error) {
      const challenge = challengeOf(error);
      if (challenge !== undefined)
        return sendPage(house, req, res, {
          title: 'One more step',
          body: (token) => challengePage(token, { challenge, next: given.value.next }),
        });
      const limited = hasCode(error, 'E_SIGN_IN_LIMITED');
      if (!limited && !hasCode(error, 'E_SIGN_IN_FAILED') && !hasCode(error, 'E_VALIDATION')) throw error;
      await audit.record({ action: 'person.sign-in-refused', outcome: 'denied', request: req });
      if (limited) throw error;
      return refuse(401, { '': 'The e-mail address or the password is not right.' });
    }
    res.redirect(303, redirects.to(given.value.next));
  });

  router.post(
    '/sign-out',
    rbac.public('ends the session that the request brings, if any'),
    // Not the cookies: they are cleared below, and the one that knows this device outlives the session.
    clearSiteData({ types: ['cache', 'storage'] }),
    async (req, res) => {
      const { principal } = req.security;
      if (principal.kind !== 'anonymous') {
        await auth.signOut(principal);
        await audit.record({ action: 'person.signed-out', outcome: 'success', request: req });
      }
      auth.cookies.clear(res);
      formToken.rotate(req, res);
      res.redirect(303, '/sign-in?done=signed-out');
    },
  );
  return router;
}

/** What the page of signing in offers besides the form. */
export function offersOf({ hasPasskeys, hasMail, registration }: House): SignInOffers {
  return { passkeys: hasPasskeys, reset: hasMail, register: registration !== 'off' };
}

/** Of a right password that is not enough. */
function challengeOf(error: unknown): string | undefined {
  return isSecurityError(error) && error.code === 'E_SECOND_FACTOR_REQUIRED'
    ? String(error.problem['challenge'])
    : undefined;
}
