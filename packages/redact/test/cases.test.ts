import { describe, expect, test } from '@jest/globals';
import { createRedactor } from '../src/index.js';
import { argumentLists, commandLines, plainCommands, plainLists } from './cases/commands.js';
import { plain } from './cases/plain.js';
import { leaks as services } from './cases/services.js';
import { leaks as texts } from './cases/texts.js';
import { X } from './hostile-cases.js';

const { redact, stringify, explain } = createRedactor();
/** A secret, and what it would look like in other clothes. */
function leaks(event: unknown, secrets: readonly string[] = [X]): string[] {
  const text = stringify(event);
  return secrets
    .flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      ...[secret, `ann:${secret}`].map((one) => Buffer.from(one).toString('base64')),
    ])
    .filter((form) => text.includes(form));
}

describe('command lines', () => {
  test.each(commandLines)('no secret is left of: %s', (cmd) => {
    expect(leaks({ cmd })).toEqual([]);
    expect(leaks({ text: `Command failed: ${cmd}\nexit code 1` })).toEqual([]);
    expect(explain({ cmd })).not.toEqual([]);
  });

  test.each(argumentLists)('no secret is left of a list of arguments: %s', (_claim, event) => {
    expect(leaks(event)).toEqual([]);
    expect(explain(event)).not.toEqual([]);
    expect(JSON.stringify(explain(event))).not.toContain(X);
  });

  test.each(plainCommands)('stays as it is, in one text and as a list: %s', (cmd) => {
    expect(redact({ cmd })).toEqual({ cmd });
    const args = cmd.split(' ');
    if (!cmd.includes('"')) expect(redact({ args })).toEqual({ args });
  });

  test.each(plainLists)('stays as it is, a list: %s', (_claim, event) => {
    expect(redact(event)).toEqual(event);
  });
});

describe('what services write down', () => {
  const cases = [...services, ...texts];

  test.each(cases)('no secret is left of: %s', (_claim, event, secrets = [X]) => {
    expect(leaks(event, secrets)).toEqual([]);
    // A copy may pass through a second redactor, and so may a line.
    expect(leaks(redact(event), secrets)).toEqual([]);
    expect(leaks(stringify(event), secrets)).toEqual([]);
    const found = explain(event);
    expect(found).not.toEqual([]);
    for (const secret of secrets) expect(JSON.stringify(found)).not.toContain(secret);
  });

  test('in every mode, without a throw', () => {
    const modes = [
      createRedactor({ mode: 'drop' }),
      createRedactor({ mode: 'pseudonym', pseudonymKey: 'k'.repeat(32) }),
    ];
    for (const { stringify: inMode } of modes) {
      for (const [claim, event, secrets = [X]] of cases) {
        const text = inMode(event);
        expect([claim, secrets.filter((secret) => text.includes(secret))]).toEqual([claim, []]);
        expect(() => JSON.parse(text) as unknown).not.toThrow();
      }
    }
  });

  test.each(plain)('stays as it is: %s', (_claim, event) => {
    expect(redact(event)).toEqual(event);
    expect(explain(event)).toEqual([]);
  });

  test('the corpus is as large as promised', () => {
    expect(cases.length + commandLines.length + argumentLists.length).toBeGreaterThanOrEqual(350);
    expect(plain.length + 2 * plainCommands.length + plainLists.length).toBeGreaterThanOrEqual(250);
  });
});
