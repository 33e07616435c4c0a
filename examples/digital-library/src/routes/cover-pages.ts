import { validate, validOf } from '@portcullis/validation';
import { downloadHeaders } from '@portcullis/validation/uploads';
import { Router } from 'express';
import { acting, idOf } from '../acting.js';
import { findBook } from '../books.js';
import { coverOf, setCover } from '../covers.js';
import type { House } from '../house.js';
import { limits } from '../limits.js';
import { BookUnknown, CoverUnknown } from '../problems.js';
import { bookIdSchema } from '../schemas.js';

const oneBook = { params: bookIdSchema } as const;

/** Pictures of books: what staff upload is looked into before it is kept, and handed out so that nothing of it can run. */
export function coverPages(house: House): Router {
  const { rbac, audit, covers } = house;
  const router = Router();
  const upload = covers.uploads.receive({
    files: { cover: { kinds: ['png', 'jpeg', 'webp'], maxBytes: limits.cover.maxBytes } },
    fields: { _csrf: { maxBytes: 200 } },
  });

  router.get(
    '/books/:id/cover',
    rbac.public('the catalogue is open to everybody'),
    validate(oneBook),
    async (req, res) => {
      const { id } = validOf(oneBook, req).params;
      const cover = await acting(house, req, (tx) => coverOf(tx, id));
      if (!cover) throw new CoverUnknown();
      const { size, stream } = await covers.files.open(cover.key);
      res.set(downloadHeaders({ name: `cover-${id}`, type: cover.type, size, inline: true }));
      stream()
        .on('error', (error) => res.destroy(error))
        .pipe(res);
    },
  );

  router.post(
    '/staff/books/:id/cover',
    rbac.requirePermission('book:update'),
    validate(oneBook),
    upload,
    house.formToken, // Here and not in app.ts: the token of a browser too old for csrf() stands in the form that was just read.
    async (req, res) => {
      const { id } = validOf(oneBook, req).params;
      const [file] = upload.of(req).files.cover;
      // Kept before the book names it: a book never points to a picture that is not there.
      const cover = { key: await file!.keep(), type: file!.type };
      const before = await acting(house, req, async (tx) => {
        const old = await coverOf(tx, id);
        if (!(await findBook(tx, id)) || !(await setCover(tx, id, cover, idOf(req)))) throw new BookUnknown();
        await audit.tx(tx).record({
          action: 'book.cover-changed',
          outcome: 'success',
          target: { type: 'book', id },
          data: { type: cover.type, sha256: file!.sha256 },
          request: req,
        });
        return old;
      }).catch(async (error: unknown) => {
        await covers.uploads.remove(cover.key);
        throw error;
      });
      if (before) await covers.uploads.remove(before.key);
      res.redirect(303, `/books/${id}?done=saved`);
    },
  );
  return router;
}
