import { describe, expect, test } from '@jest/globals';
import { createValidator, type Validator } from '../src/index.js';
import { isRemote, suite, type Group } from './json-schema-suite/suite.js';

const local = suite.map(({ file, groups }) => ({ file, groups: groups.filter((g) => !isRemote(file, g)) }));

/** The cases of a group that get another answer than the one that is asked for. */
function wrong({ description, tests }: Group, validator: Validator<unknown>): readonly string[] {
  return tests
    .filter(({ data, valid }) => validator.check(data).valid !== valid)
    .map((one) => `${description}: ${one.description} should be ${one.valid ? 'valid' : 'invalid'}`);
}

describe("JSON Schema's own suite, draft 7, required cases with local references", () => {
  test('is all there: 927 cases, of which 27 refer to other documents', () => {
    const count = (groups: readonly Group[]) => groups.flatMap(({ tests }) => tests).length;
    expect(count(suite.flatMap(({ groups }) => groups))).toBe(927);
    expect(count(local.flatMap(({ groups }) => groups))).toBe(900);
  });

  test.each(local.filter(({ groups }) => groups.length > 0))('$file: all pass', ({ groups }) => {
    expect(
      groups.flatMap((group) => wrong(group, createValidator(group.schema, { dangerouslyAsWritten: true }))),
    ).toEqual([]);
  });

  test('what refers to another document does not start: nothing is fetched', () => {
    for (const { file, groups } of suite) {
      for (const group of groups.filter((g) => isRemote(file, g))) {
        const start = () => createValidator(group.schema, { dangerouslyAsWritten: true });
        expect(start).toThrow(expect.objectContaining({ name: 'OptionError' }));
      }
    }
  });

  test('strict mode is only ever stricter: it accepts nothing that the standard refuses', () => {
    let started = 0;
    const laxer: string[] = [];
    for (const { file, groups } of local) {
      for (const { schema, tests, description } of groups) {
        if (typeof schema === 'boolean') continue;
        let validator: Validator<unknown>;
        try {
          validator = createValidator(schema);
        } catch (error) {
          expect([file, description, (error as Error).name]).toEqual([file, description, 'OptionError']);
          continue;
        }
        started++;
        for (const one of tests) {
          if (!one.valid && validator.check(one.data).valid)
            laxer.push(`${file}: ${description}: ${one.description}`);
        }
      }
    }
    expect(laxer).toEqual([]);
    expect(started).toBeGreaterThan(80);
  });
});
