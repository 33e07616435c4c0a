import { hasCode } from '@portcullis/core';
import { createValidator, validate, validOf } from '@portcullis/validation';
import { Router, type Request } from 'express';
import { idOf } from '../acting.js';
import { recorded } from '../critical.js';
import type { House } from '../house.js';
import { allKeyScopes, staffKeyScopes } from '../key-scopes.js';
import { fieldErrors, sendPage, typed } from '../pages.js';
import { newKeySchema, noticeSchema, uuidSchema } from '../schemas.js';
import type { FieldErrors } from '../views/forms.js';
import { keyList, newKeyPage, type KeyList } from '../views/key-pages.js';

const TITLE = 'Keys for programs';
const AT = '/account/keys';
const notice = { query: noticeSchema } as const;
const oneKey = { params: uuidSchema } as const;
const newKey = createValidator(newKeySchema, { fromText: true });
const HINTS = { name: 'Give it a name of up to 100 characters.' };

/** API keys: made and shown once, listed with their last use, ended. */
export function keyPages(house: House): Router {
  const { auth, audit, rbac } = house;
  const keys = auth.apiKeys!;
  const router = Router();
  const inPerson = auth.inPerson();
  const own = rbac.public('everybody makes and ends their own keys');

  const listOf = async (req: Request): Promise<KeyList> => {
    const isStaff = await rbac.can(req.security.principal, 'book:create');
    return {
      keys: await keys.list(idOf(req)),
      offered: allKeyScopes.filter((scope) => isStaff || !staffKeyScopes.includes(scope)),
    };
  };

  router.get(AT, inPerson, own, validate(notice), async (req, res) => {
    const list = await listOf(req);
    await sendPage(house, req, res, {
      title: TITLE,
      done: validOf(notice, req).query.done,
      body: (token) => keyList(token, list),
    });
  });

  router.post(AT, inPerson, own, async (req, res) => {
    const values = typed(req.body);
    const refuse = async (status: number, errors: FieldErrors) => {
      const list = await listOf(req);
      await sendPage(house, req, res, {
        title: TITLE,
        status,
        body: (token) => keyList(token, list, values, errors),
      });
    };
    const given = newKey.check(req.body);
    if (!given.valid) return refuse(400, fieldErrors(given.errors, HINTS));
    const scopes = allKeyScopes.filter((scope) => values[scope] === 'yes');
    if (scopes.length === 0) return refuse(400, { '': 'Tick at least one thing that the program may do.' });
    const { name, expires } = given.value;
    if (name.trim() === '') return refuse(400, { name: HINTS.name });
    try {
      const { key, info } = await recorded(
        audit,
        req,
        {
          requested: 'person.key-requested',
          done: 'person.key-created',
          data: { scopes: scopes.join(' ') },
          of: (made) => ({ target: { type: 'key', id: made.info.id } }),
        },
        () => keys.create(idOf(req), { name, scopes, expiresIn: expires }),
      );
      await sendPage(house, req, res, { title: TITLE, body: newKeyPage(key, info) });
    } catch (error) {
      if (!hasCode(error, 'E_API_KEY_LIMIT')) throw error;
      await refuse(409, {
        '': 'You have as many keys as one account may have. End one that is not used any more.',
      });
    }
  });

  // Whose key it is, the store asks for too; one that is not there, or not yours, has ended as far as you can see.
  router.post(`${AT}/:id/end`, inPerson, own, validate(oneKey), async (req, res) => {
    const { id } = validOf(oneKey, req).params;
    await recorded(
      audit,
      req,
      {
        requested: 'person.key-revocation-requested',
        done: 'person.key-revoked',
        target: { type: 'key', id },
        of: (ended) => (ended ? {} : undefined),
      },
      () => keys.revoke(idOf(req), id),
    );
    res.redirect(303, `${AT}?done=key-ended`);
  });
  return router;
}
