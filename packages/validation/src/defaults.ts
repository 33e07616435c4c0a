import { OptionError } from '@portcullis/core';
import type { Check } from './engine/check.js';
import { escapeStep } from './problem.js';
import type { Schema } from './schema.js';

interface Default {
  /** The smallest value in which the default is filled in. */
  readonly probe: unknown;
  readonly pointer: string;
  /** Where it stands in the schema. */
  readonly path: string;
}

/**
 * A default is filled in before the check, so one that does not fit would turn away everybody who leaves the member out.
 * @throws OptionError
 */
export function checkDefaults(prepared: Schema | boolean, check: Check, owner: string, path: string): void {
  for (const { probe, pointer, path: at } of defaultsOf(prepared, path)) {
    const misfit = check(probe, 1, MANY).find(
      (finding) => finding.pointer === pointer || finding.pointer.startsWith(`${pointer}/`),
    );
    if (misfit) {
      throw new OptionError(
        'E_OPTION_VALUE',
        owner,
        at,
        `${at} does not fit its own schema: it ${misfit.message}`,
      );
    }
  }
}

const MANY = 1000;

/** Of members and entries; ajv fills in no other ones, and refuses those in branches. */
function defaultsOf(schema: unknown, path: string): Default[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties, items } = schema as Schema;
  const members = Object.entries(typeof properties === 'object' && properties !== null ? properties : {});
  return [
    ...members.flatMap(([name, member]: [string, unknown]) => {
      const at = `${path}.properties.${name}`;
      const step = `/${escapeStep(name)}`;
      const own =
        typeof member === 'object' && member !== null && 'default' in member
          ? [{ probe: {}, pointer: step, path: `${at}.default` }]
          : [];
      return [...own, ...defaultsOf(member, at).map((inner) => within({ [name]: inner.probe }, step, inner))];
    }),
    ...(Array.isArray(items) ? [] : defaultsOf(items, `${path}.items`)).map((inner) =>
      within([inner.probe], '/0', inner),
    ),
  ];
}

function within(probe: unknown, step: string, inner: Default): Default {
  return { probe, pointer: `${step}${inner.pointer}`, path: inner.path };
}
