import { describe, expect, test } from '@jest/globals';
import engine from 'bcrypt';
import { recordedEvents } from '@portcullis/core/testing';
import {
  bcrypt,
  createPasswordPolicy,
  createPasswords,
  type PasswordForms,
  type PasswordHasher,
  type PasswordsOptions,
} from '../src/index.js';
import { createPepper } from '../src/passwords/pepper.js';

const pepperKeys = [{ id: 'a', key: 'a'.repeat(32) }];
const forms = (text: string): PasswordForms => ({ raw: text, normal: text.normalize('NFKC') });

/** Hashes nothing, and tells what it was asked for: `bcrypt`, cost and text, in the clear. */
function openHasher() {
  const log: string[] = [];
  const seal = (cost: number, text: string) => `$2b$${cost}$h${Buffer.from(text).toString('hex')}`;
  const costOf = (stored: string) => Number(stored.split('$')[2]);
  const hasher: PasswordHasher = {
    name: 'open',
    accepts: (stored) => /^\$2b\$1\d\$/.test(stored),
    hash: async ({ normal }) => (log.push('hash'), seal(12, normal)),
    verify: async ({ normal }, stored) => (
      log.push(`verify ${costOf(stored)}`),
      stored === seal(costOf(stored), normal)
    ),
    isCurrent: (stored) => costOf(stored) === 12,
  };
  return { hasher, log, seal };
}
function kit(options: Partial<PasswordsOptions> = {}) {
  const open = openHasher();
  const events = recordedEvents();
  const passwords = createPasswords({ hash: open.hasher, accept: [], events, ...options });
  const work = async (password: string, stored: string | undefined) => {
    open.log.length = 0;
    const verdict = await passwords.verify(password, stored);
    return { ...verdict, work: open.log.toSorted() };
  };
  return { ...open, events, passwords, work };
}
const outdated = { matches: true, outdated: true };
const current = { matches: true, outdated: false };
const wrong = { matches: false, outdated: false };

describe('the work of a sign-in', () => {
  test('is one computation for what is stored, and one for nothing', async () => {
    const { work, seal } = kit();
    expect(await work('pass', seal(12, 'pass'))).toEqual({ ...current, work: ['verify 12'] });
    expect(await work('other', seal(12, 'pass'))).toEqual({ ...wrong, work: ['verify 12'] });
    expect(await work('pass', seal(10, 'pass'))).toEqual({ ...outdated, work: ['verify 10'] });
    expect(await work('other', seal(10, 'pass'))).toEqual({ ...wrong, work: ['verify 10'] });
    for (const nothing of [undefined, '', 'no hash'])
      expect(await work('pass', nothing)).toEqual({ ...wrong, work: ['hash'] });
  });

  test('is the same for every cost that is to be equalised, and for nothing', async () => {
    const { seal } = openHasher();
    const { work } = kit({ equalise: [seal(10, 'x'), seal(11, 'x')] });
    const all = ['verify 10', 'verify 11'];
    expect(await work('pass', seal(12, 'pass'))).toEqual({ ...current, work: [...all, 'verify 12'] });
    expect(await work('pass', seal(10, 'pass'))).toEqual({ ...outdated, work: ['hash', ...all] });
    expect(await work('pass', seal(11, 'pass'))).toEqual({ ...outdated, work: ['hash', ...all] });
    expect(await work('pass', undefined)).toEqual({ ...wrong, work: ['hash', ...all] });
    // One whose cost was not named takes its own time.
    expect(await work('pass', seal(13, 'pass'))).toEqual({ ...outdated, work: [...all, 'verify 13'] });
  });

  test('looks a second time only at a text that has two forms, and only if the first did not match', async () => {
    const { work, seal, log } = kit();
    const ligature = '\ufb01sh';
    expect(await work(ligature, seal(12, 'fish'))).toEqual({ ...current, work: ['verify 12'] });
    expect(await work(ligature, seal(12, 'cat'))).toEqual({ ...wrong, work: ['verify 12', 'verify 12'] });
    // Over the text as typed: replaced at once, whatever its cost.
    expect(await work(ligature, seal(12, ligature))).toEqual({
      ...outdated,
      work: ['verify 12', 'verify 12'],
    });
    expect(log).toHaveLength(2);
  });

  test('is bounded: of more than 4,096 characters none matches, after the same work', async () => {
    const { work, seal } = kit();
    const long = 'x'.repeat(4_096);
    expect(await work(long, seal(12, long))).toEqual({ ...current, work: ['verify 12'] });
    expect(await work(`${long}x`, seal(12, long))).toEqual({ ...wrong, work: ['verify 12'] });
    expect(await work(`${long}x`, seal(12, `${long}x`))).toEqual({ ...wrong, work: ['verify 12'] });
  });
});

describe('a pepper', () => {
  test('that came later makes a hash without it outdated, and one without a key is nobody and told', async () => {
    const plain = kit();
    const peppered = kit({ pepper: pepperKeys });
    const stored = await plain.passwords.hash('pass');
    expect(await peppered.passwords.verify('pass', stored)).toEqual(outdated);
    const sealed = await peppered.passwords.hash('pass');
    expect(sealed).toMatch(/^\$pepper\$a\$2b\$12\$/);
    expect(await peppered.passwords.verify('pass', sealed)).toEqual(current);
    expect(await plain.passwords.verify('pass', sealed)).toEqual(wrong);
    expect(plain.events.all).toMatchObject([{ type: 'auth.pepper-missing', keyId: 'a' }]);
    expect(peppered.events.all).toEqual([]);
  });

  test('is read with its own key; a mark that is none is part of a hash', () => {
    const [a, b] = ['a', 'b'].map((id) => ({ id, key: id.repeat(32) }));
    const ring = createPepper([a!, b!], 'test', 'pepper');
    const old = createPepper([b!], 'test', 'pepper');
    expect(ring.open(old.seal('$x'))).toMatchObject({ inner: '$x', current: false });
    expect(ring.open(ring.seal('$x'))).toMatchObject({ inner: '$x', current: true });
    const [mixed, same] = [ring.open(old.seal('$x')), old.mix(forms('pass'))];
    expect('mix' in mixed && mixed.mix(forms('pass'))).toEqual(same);
    expect(ring.mix(forms('pass'))).not.toEqual(same);
    for (const unmarked of ['$x', '$pepper$', '$pepper$a', '$pepper$a$', '$pepper$\u00e4$x'])
      expect(ring.open(unmarked)).toMatchObject({ inner: unmarked, current: false });
    const none = createPepper([], 'test', 'pepper');
    expect(none.seal('$x')).toBe('$x');
    expect(none.open('$x')).toMatchObject({ inner: '$x', current: true });
    expect(none.mix(forms('pass'))).toEqual(forms('pass'));
    expect(() => createPepper([a!, a!], 'test', 'pepper')).toThrow(/pepper names one id twice/);
  });
});

describe('hashes to be equalised', () => {
  const { seal } = openHasher();
  test("are such as are verified, of another cost than today's, one of each", () => {
    for (const [equalise, code, option] of [
      [['no hash'], 'E_OPTION_VALUE', 'equalise[0]'],
      [[seal(12, 'x')], 'E_OPTION_CONFLICT', 'equalise'],
      [[seal(10, 'x'), seal(10, 'y')], 'E_OPTION_CONFLICT', 'equalise'],
    ] as const) {
      expect(() => kit({ equalise })).toThrow(expect.objectContaining({ code, option }) as never);
      const under = () => createPasswords({ hash: openHasher().hasher, accept: [], equalise }, 'passwords');
      expect(under).toThrow(expect.objectContaining({ option: `passwords.${option}` }) as never);
    }
  });

  test('differ in cost if scheme or any parameter differs, and not by salt and digest', () => {
    const any: PasswordHasher = { ...openHasher().hasher, accepts: () => true, isCurrent: () => false };
    const samples = [
      '$2b$10$c2FsdA',
      '$2b$11$c2FsdA',
      '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$ZGlnZXN0',
      '$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$ZGlnZXN0',
      '$pbkdf2-sha256$11$c2FsdA$ZGlnZXN0',
      '$pbkdf2-sha512$11$c2FsdA$ZGlnZXN0',
    ];
    for (const one of samples)
      for (const other of samples) {
        const build = () => kit({ hash: any, equalise: [one, other.replace('c2FsdA', 'b3RoZXI')] });
        if (one === other) expect(build).toThrow(/two hashes of one cost/);
        else expect(build()).toBeDefined();
      }
  });
});

describe('a policy', () => {
  const reasonsOf = (options: Parameters<typeof createPasswordPolicy>[0]) => {
    const policy = createPasswordPolicy(options);
    return (text: string, context?: readonly string[]) =>
      policy.check(text, context).map(({ reason }) => reason);
  };

  test('takes exactly its shortest and its longest', () => {
    const reasons = reasonsOf({ minLength: 8, maxLength: 64 });
    const text = Array.from({ length: 65 }, (_, i) => String.fromCharCode(0x4e00 + i * 37)).join('');
    expect(reasons(text.slice(0, 7))).toEqual(['too-short']);
    expect(reasons(text.slice(0, 8))).toEqual([]);
    expect(reasons(text.slice(0, 64))).toEqual([]);
    expect(reasons(text)).toEqual(['too-long']);
  });

  test('knows common ones from its list and by their pattern, unless it is told not to ask', () => {
    const reasons = reasonsOf({ minLength: 8 });
    const free = reasonsOf({ minLength: 8, refuseCommon: false });
    // On the list only, by a pattern only.
    for (const common of ['mollydog', 'MOLLYDOG', 'abcabcabcabc']) {
      expect([common, reasons(common)]).toEqual([common, ['common']]);
      expect(free(common)).toEqual([]);
    }
    expect(reasons('plover-ochre-17')).toEqual([]);
  });

  test('takes no word of four letters and more as most of a password: fewer than eight others', () => {
    const reasons = reasonsOf({ minLength: 8, words: ['Rook', 'owl'] });
    expect(reasons('rookzqxwvkj')).toEqual(['common']);
    expect(reasons('rookzqxwvkjm')).toEqual([]);
    expect(reasons('owlzqxwvkj')).toEqual([]);
    expect(reasons('zqxwvkjm', ['rook'])).toEqual([]);
    // What is of the person is called so, and nothing else besides.
    expect(reasons('rookzqxwvkj', ['Rook'])).toEqual(['personal']);
    expect(reasons('heronzqx', ['nobody', 'Grey Heron'])).toEqual(['personal']);
  });

  test('asks for the kinds that it was told to, each by its name', () => {
    const kinds = ['lower', 'upper', 'digit', 'symbol'] as const;
    for (const kind of kinds) {
      const reasons = reasonsOf({ minLength: 8, refuseCommon: false, require: [kind] });
      const sample = { lower: 'plover', upper: 'PLOVER', digit: '749163', symbol: '-_-=+;' };
      const others = kinds
        .filter((one) => one !== kind)
        .map((one) => sample[one])
        .join('');
      expect(reasons(others)).toEqual([`needs-${kind}`]);
      expect(reasons(others + sample[kind])).toEqual([]);
    }
  });

  test('asks for an estimate only of what has no other fault; the least score will do', () => {
    const asked: unknown[][] = [];
    const reasons = (score: number, min?: number) =>
      reasonsOf({
        minLength: 8,
        words: ['library'],
        strength: { estimate: (...args) => (asked.push(args), { score }), ...(min ? { min } : {}) },
      });
    expect(reasons(2)('plover-ochre-17')).toEqual(['weak']);
    expect(reasons(3)('plover-ochre-17')).toEqual([]);
    expect(reasons(1, 1)('plover-ochre-17', ['ada'])).toEqual([]);
    expect(asked.at(-1)).toEqual(['plover-ochre-17', ['ada', 'library']]);
    asked.length = 0;
    expect(reasons(4)('short')).toEqual(['too-short']);
    expect(asked).toEqual([]);
  });

  test('looks up what has no other fault, and says so when nobody can be asked', async () => {
    const seen: string[] = [];
    const breached = { includes: async (text: string) => (seen.push(text), text === 'plover-ochre-17') };
    const { passwords } = kit({ policy: { minLength: 8, breached } });
    await expect(passwords.assertAcceptable('plover-ochre-17')).rejects.toMatchObject({
      code: 'E_PASSWORD_POLICY',
      problem: { errors: [{ pointer: '/password', reason: 'breached' }] },
    });
    await passwords.assertAcceptable('plover-ochre-18');
    await expect(passwords.assertAcceptable('short', [], '/next')).rejects.toMatchObject({
      problem: { errors: [{ pointer: '/next', reason: 'too-short' }] },
    });
    expect(seen).toEqual(['plover-ochre-17', 'plover-ochre-18']);
    await kit({ policy: { minLength: 8 } }).passwords.assertAcceptable('plover-ochre-17');

    for (const [cause, told] of [
      [new Error('gone'), 'gone'],
      ['gone', 'unknown'],
    ] as const) {
      const down = { includes: () => Promise.reject(cause as Error) };
      const strict = kit({ policy: { minLength: 8, breached: down } });
      await expect(strict.passwords.assertAcceptable('plover-ochre-17')).rejects.toMatchObject({
        code: 'E_PASSWORD_UNCHECKED',
        status: 503,
      });
      const lenient = kit({ policy: { minLength: 8, breached: down, onOutage: 'allow' } });
      await lenient.passwords.assertAcceptable('plover-ochre-17');
      for (const { events } of [strict, lenient])
        expect(events.all).toMatchObject([{ type: 'auth.breach-list-failed', reason: told }]);
    }
  });
});

describe('bcrypt', () => {
  const SALT = '$2b$04$abcdefghijklmnopqrstuu';

  test('takes stored costs from 4 to its limit, which is never below its own', () => {
    const raw = (cost: string) => `$2b$${cost}$${'a'.repeat(53)}`;
    const accepted = (options: Parameters<typeof bcrypt>[0], ...costs: string[]) =>
      costs.filter((cost) => bcrypt(options).accepts(raw(cost)));
    expect(accepted({}, '00', '03', '04', '15', '16', '31')).toEqual(['04', '15']);
    expect(accepted({ cost: 13, maxCost: 10 }, '10', '13', '14')).toEqual(['10', '13']);
    expect(bcrypt().accepts('no hash')).toBe(false);
  });

  test('a raw hash of exactly 72 bytes matches them, and of no byte more, nor of a NUL', async () => {
    const hasher = bcrypt({ cost: 10 });
    const text = 'p'.repeat(72);
    const stored = await engine.hash(text, SALT);
    expect(await hasher.verify(forms(text), stored)).toBe(true);
    for (const other of [`${text}p`, text.slice(1), `${'p'.repeat(71)}q`, 'p\0p'])
      expect(await hasher.verify(forms(other), stored)).toBe(false);
    const short = await engine.hash('p', SALT);
    expect(await hasher.verify(forms('p\0q'), short)).toBe(false);
    expect(await hasher.verify(forms('p'), short.replace('$2b$', '$2a$'))).toBe(true);
    expect(await hasher.verify(forms('p'), short.replace('$2b$', '$2y$'))).toBe(true);
  });

  test('only a hash of its own format and cost is current', async () => {
    const hasher = bcrypt({ cost: 10 });
    const stored = await hasher.hash(forms('pass'));
    expect(hasher.isCurrent(stored)).toBe(true);
    expect(bcrypt({ cost: 11 }).isCurrent(stored)).toBe(false);
    expect(hasher.isCurrent(await engine.hash('pass', SALT))).toBe(false);
    expect(await hasher.verify(forms('pass'), stored)).toBe(true);
    expect(await hasher.verify(forms('other'), stored)).toBe(false);
  });
});
