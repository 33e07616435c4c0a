import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { precompile, type Precompilable } from '../src/precompile.js';
import { localGroups } from './json-schema-suite/suite.js';
import { create, search } from './without-eval/schemas.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'portcullis-precompiled-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** A process that makes no code from text, with a module that was generated before. */
function run(script: string, schemas: readonly Precompilable[], dangerouslyAsWritten = false): unknown {
  const file = join(folder, `${script}.mjs`);
  writeFileSync(file, precompile(schemas, { dangerouslyAsWritten }));
  const child = spawnSync(
    process.execPath,
    [
      '--disallow-code-generation-from-strings',
      '--conditions=@portcullis/source',
      '--import',
      'tsx',
      fileURLToPath(new URL(`./without-eval/${script}.ts`, import.meta.url)),
      file,
    ],
    { encoding: 'utf8', env: { ...process.env, NODE_ENV: 'production' } },
  );
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout);
}

describe('ASVS V1.3.2: no eval() nor other code made from text is needed (--disallow-code-generation-from-strings)', () => {
  test('headers, csrf, rate-limit and validation serve (on Express 5: Express 4 itself does not load so)', () => {
    const answers = {
      read: [200, { page: 2 }, true],
      created: 201,
      invalid: 400,
      crossSite: 403,
      leaking: 500,
      limited: 429,
    };
    expect(run('service', [search, create])).toEqual({
      eval: expect.stringMatching(/^EvalError/),
      atStart: expect.stringMatching(/^OptionError: .*precompile\(\)/),
      changed: expect.stringMatching(/^OptionError: .*precompile\(\)/),
      express4: 'EvalError',
      express5: answers,
    });
  });

  test("compiled ahead, all 900 cases of JSON Schema's suite pass", () => {
    const schemas = localGroups().map(({ schema }) => schema);
    expect(run('suite', schemas, true)).toMatchObject({ blocked: true, cases: 900, wrong: [] });
  });
});
