import { describe, expect, test } from '@jest/globals';
import { createRedactor } from '../src/index.js';
import { argumentLists, commandLines, plainCommands, plainLists } from './cases/commands.js';
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
