// Run with --disallow-code-generation-from-strings and the path of a module made by precompile(). Prints one JSON line.
import { pathToFileURL } from 'node:url';
import { createValidator, type Precompiled } from '../../src/precompiled.js';
import { localGroups } from '../json-schema-suite/suite.js';

const { default: precompiled } = (await import(pathToFileURL(process.argv[2]!).href)) as {
  default: Precompiled;
};

const started = performance.now();
const options = { dangerouslyAsWritten: true, precompiled };
const wrong: string[] = [];
let cases = 0;
for (const { description, schema, tests } of localGroups()) {
  const validator = createValidator(schema, options);
  for (const one of tests) {
    cases++;
    if (validator.check(one.data).valid !== one.valid) wrong.push(`${description}: ${one.description}`);
  }
}
let blocked = false;
try {
  // oxlint-disable-next-line no-implied-eval, no-new-func
  void new Function('return 1');
} catch {
  blocked = true;
}
console.log(JSON.stringify({ blocked, cases, wrong, ms: performance.now() - started }));
