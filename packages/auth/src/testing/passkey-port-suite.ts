import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { systemClock } from '@portcullis/core';
import type { PasskeyPort, PasskeyRecord } from '../passkeys/passkey-port.js';
import { globalsOf } from './globals.js';
import type { StoreSuiteOptions } from './session-store-suite.js';

export interface PasskeyPortKit {
  readonly port: PasskeyPort;
  /** Ids of accounts that are there: two of them, without a passkey. */
  readonly users: readonly [string, string];
}

/** Every claim of {@link PasskeyPort}, for your implementation. Credential ids are new ones. */
export function passkeyPortSuite(
  name: string,
  makeKit: () => PasskeyPortKit | Promise<PasskeyPortKit>,
  options: StoreSuiteOptions = {},
): void {
  const { describe, test } = globalsOf(options.globals);

  describe(`PasskeyPort: ${name}`, () => {
    test('a passkey is found as it was written, by its id to the letter', async () => {
      const { port, users } = await makeKit();
      const passkey = { ...passkeyOf(users[0]), counter: 2 ** 32 - 1, name: '\u00fc"\\\'\u{1f510}' };
      assert.equal(await port.add(passkey, 10), 'added');
      assert.deepEqual(await port.find(passkey.id), passkey);
      assert.deepEqual(await port.list(users[0]), [passkey]);
      for (const other of [passkey.id.slice(1), `${passkey.id}A`, 'nobody', ''])
        assert.equal((await port.find(other)) ?? undefined, undefined);
      assert.deepEqual(await port.list(users[1]), []);
      assert.deepEqual(await port.list('no-such-user'), []);
    });

    test('a credential has one owner: of those who add it at once, one does', async () => {
      const { port, users } = await makeKit();
      const passkey = passkeyOf(users[0]);
      const answers = await Promise.all(
        [0, 1, 0, 1].map((i) => port.add({ ...passkey, userId: users[i]! }, 10)),
      );
      assert.deepEqual(answers.sort(), ['added', 'taken', 'taken', 'taken']);
      assert.equal((await port.list(users[0])).length + (await port.list(users[1])).length, 1);
    });

    test('beyond the bound none is added, not by many at once either', async () => {
      const { port, users } = await makeKit();
      const answers = await Promise.all(Array.from({ length: 6 }, () => port.add(passkeyOf(users[0]), 2)));
      assert.equal(answers.filter((answer) => answer === 'added').length, 2);
      assert.equal(answers.filter((answer) => answer === 'full').length, 4);
      assert.equal(await port.add(passkeyOf(users[1]), 2), 'added');
    });

    test('a counter only grows: of uses with the same one, at once, one is noted', async () => {
      const { port, users } = await makeKit();
      const passkey = { ...passkeyOf(users[0]), counter: 5 };
      await port.add(passkey, 10);
      const at = passkey.createdAt + 1_000;
      const use = (counter: number, backedUp = false) => port.use(passkey.id, { counter, backedUp, at });
      for (const counter of [0, 4, 5]) assert.equal(await use(counter), false);
      assert.deepEqual(await port.find(passkey.id), passkey);
      const racing = await Promise.all([use(6), use(6), use(6)]);
      assert.equal(racing.filter(Boolean).length, 1);
      assert.equal(await use(2 ** 32 - 1, true), true);
      assert.deepEqual(await port.find(passkey.id), {
        ...passkey,
        counter: 2 ** 32 - 1,
        backedUp: true,
        lastUsedAt: at,
      });
      assert.equal(await port.use('nobody', { counter: 1, backedUp: false, at }), false);
    });

    test('those that do not count may be used again and again', async () => {
      const { port, users } = await makeKit();
      const passkey = passkeyOf(users[0]);
      await port.add(passkey, 10);
      for (const at of [1, 2])
        assert.equal(await port.use(passkey.id, { counter: 0, backedUp: true, at }), true);
      assert.equal((await port.find(passkey.id))?.lastUsedAt, 2);
    });

    test('nobody renames or removes the passkey of another', async () => {
      const { port, users } = await makeKit();
      const passkey = passkeyOf(users[0]);
      await port.add(passkey, 10);
      for (const other of [users[1], 'no-such-user']) {
        assert.equal(await port.rename(other, passkey.id, 'mine'), false);
        assert.equal(await port.remove(other, passkey.id, { keepOne: false }), false);
      }
      assert.deepEqual(await port.find(passkey.id), passkey);
      assert.equal(await port.rename(users[0], passkey.id, 'Key on the ring'), true);
      assert.equal((await port.find(passkey.id))?.name, 'Key on the ring');
      assert.equal(await port.remove(users[0], passkey.id, { keepOne: false }), true);
      assert.equal(await port.remove(users[0], passkey.id, { keepOne: false }), false);
      assert.equal((await port.find(passkey.id)) ?? undefined, undefined);
      assert.equal(await port.rename(users[0], passkey.id, 'x'), false);
    });

    test('the last one stays where one is to be kept, whoever removes at the same time', async () => {
      const { port, users } = await makeKit();
      const mine = [passkeyOf(users[0]), passkeyOf(users[0]), passkeyOf(users[0])];
      for (const passkey of mine) await port.add(passkey, 10);
      await port.add(passkeyOf(users[1]), 10);
      const removed = await Promise.all(mine.map(({ id }) => port.remove(users[0], id, { keepOne: true })));
      assert.equal(removed.filter(Boolean).length, 2);
      const [last] = await port.list(users[0]);
      assert.ok(last);
      assert.equal(await port.remove(users[0], last.id, { keepOne: true }), false);
      assert.equal(await port.remove(users[0], last.id, { keepOne: false }), true);
    });
  });
}

function passkeyOf(userId: string): PasskeyRecord {
  return {
    id: randomBytes(32).toString('base64url'),
    userId,
    publicKey: randomBytes(77).toString('base64url'),
    counter: 0,
    transports: ['internal', 'hybrid'],
    backupEligible: true,
    backedUp: false,
    name: 'Telephone',
    createdAt: systemClock.now(),
    lastUsedAt: null,
  };
}
