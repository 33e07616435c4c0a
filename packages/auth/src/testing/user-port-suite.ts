import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { UserPort } from '../users.js';
import { globalsOf } from './globals.js';
import type { StoreSuiteOptions } from './session-store-suite.js';

type WithCreate = UserPort & Required<Pick<UserPort, 'create'>>;

/** Every claim of {@link UserPort} with `create`, and of what else yours has, for your implementation. Logins are new ones. */
export function userPortSuite(
  name: string,
  makePort: () => WithCreate | Promise<WithCreate>,
  options: StoreSuiteOptions = {},
): void {
  const { describe, test } = globalsOf(options.globals);

  describe(`UserPort: ${name}`, () => {
    const newLogin = () => `${randomUUID()}@library.example`;

    test('an account that was created is found by login and by id', async () => {
      const port = await makePort();
      const login = newLogin();
      const user = await port.create({ login, passwordHash: 'h1', name: 'Ada' });
      assert.ok(user);
      for (const found of [await port.findByLogin(login), await port.findById(user.id)]) {
        assert.ok(found);
        const { id, passwordHash, active } = found;
        assert.deepEqual(
          { id, login: found.login, passwordHash, active },
          { id: user.id, login, passwordHash: 'h1', active: true },
        );
      }
    });

    test('nobody is found as nobody, not as an error', async () => {
      const port = await makePort();
      assert.equal((await port.findByLogin(newLogin())) ?? undefined, undefined);
      for (const id of [randomUUID(), 'no-such-id', ''])
        assert.equal((await port.findById(id)) ?? undefined, undefined);
      assert.equal(await port.saveCredential(randomUUID(), { passwordHash: 'h', replaces: null }), false);
    });

    test('of accounts created at once with one login, one is made', async () => {
      const port = await makePort();
      const login = newLogin();
      const made = await Promise.all(
        Array.from({ length: 10 }, (_, i) => port.create({ login, passwordHash: `h${i}` })),
      );
      assert.equal(made.filter((user) => user !== undefined && user !== null).length, 1);
    });

    test('a credential is replaced only by those who know the one before', async () => {
      const port = await makePort();
      const user = await port.create({ login: newLogin(), passwordHash: 'h1' });
      assert.equal(await port.saveCredential(user!.id, { passwordHash: 'h2', replaces: 'h0' }), false);
      assert.equal(await port.saveCredential(user!.id, { passwordHash: 'h2', replaces: null }), false);
      const racers = ['h3', 'h4', 'h5'].map((passwordHash) =>
        port.saveCredential(user!.id, { passwordHash, replaces: 'h1' }),
      );
      assert.equal((await Promise.all(racers)).filter(Boolean).length, 1);
    });

    test('an account that was added unverified is verified once its login is the one that was shown', async () => {
      const port = await makePort();
      if (!port.markVerified) return;
      const login = newLogin();
      const user = await port.create({ login, passwordHash: 'h1', emailVerified: false });
      assert.equal((await port.findById(user!.id))?.emailVerified, false);
      assert.equal(await port.markVerified(user!.id, newLogin()), false);
      assert.equal((await port.findById(user!.id))?.emailVerified, false);
      assert.equal(await port.markVerified(user!.id, login), true);
      assert.notEqual((await port.findById(user!.id))?.emailVerified, false);
      assert.equal(await port.markVerified(randomUUID(), login), false);
    });

    test('an account that signs in with passkeys has no password, from the start or from then on', async () => {
      const port = await makePort();
      if (!port.passkeys) return;
      const none = await port.create({ login: newLogin(), passwordHash: null });
      assert.equal((await port.findById(none!.id))?.passwordHash ?? null, null);
      const user = await port.create({ login: newLogin(), passwordHash: 'h1' });
      assert.equal(await port.saveCredential(user!.id, { passwordHash: null, replaces: 'h1' }), true);
      assert.equal((await port.findById(user!.id))?.passwordHash ?? null, null);
      assert.equal(await port.saveCredential(user!.id, { passwordHash: 'h2', replaces: null }), true);
    });

    test('a login is replaced by those who know the one before, if nobody has the new one', async () => {
      const port = await makePort();
      if (!port.changeLogin) return;
      const [before, after, taken] = [newLogin(), newLogin(), newLogin()];
      const user = await port.create({ login: before, passwordHash: 'h1' });
      await port.create({ login: taken, passwordHash: 'h1' });
      assert.equal(await port.changeLogin(user!.id, { login: after, replaces: taken }), false);
      assert.equal(await port.changeLogin(user!.id, { login: taken, replaces: before }), false);
      assert.equal(await port.changeLogin(user!.id, { login: after, replaces: before }), true);
      assert.equal((await port.findByLogin(after))?.id, user!.id);
      assert.equal((await port.findByLogin(before)) ?? undefined, undefined);
      assert.equal(await port.changeLogin(randomUUID(), { login: newLogin(), replaces: after }), false);
    });
  });
}
