import { OptionError } from '@portcullis/core';
import { readSchema, type Finding } from './json-schema/read-schema.js';
import type { Setting } from './setting.js';

/** Says what is wrong with a coerced value, without repeating it. Empty: nothing. */
export type SettingCheck = (value: unknown) => readonly string[];

/**
 * Reads the schemas of all settings, and holds every default against its own.
 * @throws OptionError for a schema that is not valid or a default that breaks its own rules
 */
export function readSchemas(settings: Readonly<Record<string, Setting>>): ReadonlyMap<string, SettingCheck> {
  const checks = new Map<string, SettingCheck>();
  for (const [name, { schema, secret, presence }] of Object.entries(settings)) {
    const judge = readSchema(schema, name);
    const check: SettingCheck = (value) => judge(value).map((finding) => sentence(finding, secret));
    if (presence.default !== undefined) {
      const [problem] = check(presence.default);
      if (problem)
        throw new OptionError('E_OPTION_VALUE', 'loadConfig', name, `the default of ${name} ${problem}`);
    }
    checks.set(name, check);
  }
  return checks;
}

// The path inside a secret document can hold a part of it (a name chosen by whoever wrote it).
function sentence({ at, message }: Finding, secret: boolean): string {
  if (at === '') return message;
  return `${secret ? 'somewhere inside' : `at ${at}`} ${message}`;
}
