import { describe, expect, test } from '@jest/globals';
import { createAudit, memoryAudit, verifyLog } from '../src/index.js';
import { hasPython, second, secondOfEach } from './support/second-verifier.js';
import { attacked, collect, signer, someLog, verifierKey } from './support/some-log.js';

const run = hasPython || process.env['REQUIRE_SERVICES'] === '1' ? describe : describe.skip;
run('a second verifier that shares no code', () => {
  test('agrees on a log in order: counts, coverage, and what it could not see', async () => {
    const { lines, anchor } = await someLog();
    const { tampered, warnings, ...counts } = await verifyLog(lines, { verifierKey, anchors: [anchor] });
    expect([tampered, warnings]).toEqual([[], []]);
    expect(second(lines, anchor)).toEqual({ code: 0, report: { ...counts, tampered: [] } });
    expect(second(lines).code).toBe(3);
  });

  test('agrees on each of the 17 attacks, and without an anchor on what an anchor is needed for', async () => {
    const { logs, anchor } = await attacked();
    const agree = async (attacks: typeof logs, notes: readonly string[]): Promise<void> => {
      for (const [attack, { code }] of Object.entries(secondOfEach(attacks, ...notes))) {
        const ours = (await verifyLog(attacks[attack]!, { verifierKey, anchors: notes })).tampered.length > 0;
        expect([attack, notes.length, code === 2]).toEqual([attack, notes.length, ours]);
      }
    };
    await agree(logs, [anchor]);
    const unseen = ['put an old backup back', 'delete the whole log'];
    await agree(Object.fromEntries(unseen.map((attack) => [attack, logs[attack]!])), []);
  });

  test('agrees on canonical form: every kind of value, and texts of the same value that are not it', async () => {
    const audit = createAudit({ store: memoryAudit(), signer, checkpointEvery: '1h' });
    const data = {
      f: [1e21, 1e-7, 123.456, -0, 5e-324, 1e23, 0.1],
      s: 'st\u00e4le \u{1f4d6} \u2028 \\ " \n',
      '\u20ac': null,
      b: [true, false, {}],
    };
    await audit.record({ action: 'book.created', outcome: 'success', data });
    await audit.checkpoint();
    const lines = await collect(audit.export());
    await audit.close();
    expect(second(lines).report.tampered).toEqual([]);
    const at = lines.findIndex((line) => line.includes('book.created'));
    const others = ['"f":[1000000000000000000000,', '"f":[1.0e21,', '"f": [1e+21,'].map((text) =>
      lines.with(at, lines[at]!.replace('"f":[1e+21,', text)),
    );
    for (const forged of others) {
      expect(forged[at]).not.toBe(lines[at]);
      const [ours, theirs] = [
        (await verifyLog(forged, { verifierKey })).tampered,
        second(forged).report.tampered,
      ];
      expect(ours[0]).toEqual({ line: at + 1, problem: 'the entry is not in canonical form' });
      expect(theirs[0]).toEqual({ line: at + 1, problem: 'not canonical' });
    }
  });
});
