import { isUtf8 } from 'node:buffer';
import { option, readOptions, type InputProblem } from '@portcullis/core';
import { errors } from '../error-codes.js';
import { cut, escapeStep } from '../problem.js';
import { readExactJson, type JsonLimits } from './exact-json.js';
import { JsonFault, positionOf } from './json-fault.js';

export interface JsonOptions {
  /** Objects and arrays inside one another, 1 to 200. @default 32 */
  readonly maxDepth?: number;
  /** Keys of all objects together, 1 to 1,000,000. @default 1000 */
  readonly maxKeys?: number;
  /** Entries of all arrays together, 1 to 1,000,000. @default 10000 */
  readonly maxItems?: number;
}

export const jsonLimits = {
  maxDepth: option.integer({ min: 1, max: 200, default: 32 }),
  maxKeys: option.integer({ min: 1, max: 1_000_000, default: 1000 }),
  maxItems: option.integer({ min: 1, max: 1_000_000, default: 10_000 }),
};

/**
 * Reads a JSON text, or its UTF-8 bytes, that has one reading only. Refused are keys that occur twice, `__proto__`,
 * `constructor` and `prototype`, NUL, half characters, integers beyond 2^53 - 1, numbers out of range, minus zero, a
 * byte order mark, anything behind the value, and documents beyond the limits. Linear in the input, whose length is
 * the caller's to bound.
 * @throws E_JSON (400) with `problem.errors` and `problem.position`; never repeats a value
 * @see RFC 8259, RFC 7493; OWASP ASVS 5.0 V1.5.2, V1.5.3
 */
export function parseJson(input: string | Uint8Array, options: JsonOptions = {}): unknown {
  return readJson(input, readOptions('parseJson', options, jsonLimits));
}

export function readJson(input: string | Uint8Array, limits: JsonLimits): unknown {
  const text = textOf(input);
  try {
    return readExactJson(text, limits);
  } catch (error) {
    if (error instanceof JsonFault) throw problemOf(error, text);
    throw error;
  }
}

function textOf(input: string | Uint8Array): string {
  const wellFormed = typeof input === 'string' ? input.isWellFormed() : isUtf8(input);
  if (!wellFormed) throw refused({ pointer: '', keyword: 'encoding', message: 'must be UTF-8' });
  if (typeof input === 'string') return input;
  return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('utf8');
}

function problemOf({ rule, message, offset, path }: JsonFault, text: string) {
  const pointer = cut(path.map((step) => `/${escapeStep(String(step))}`).join(''));
  return refused({ pointer, keyword: rule, message }, { position: positionOf(text, offset) });
}

function refused(finding: Omit<InputProblem, 'in'>, more: Readonly<Record<string, unknown>> = {}) {
  return errors.E_JSON({ problem: { errors: [{ in: 'body', ...finding }], ...more } });
}
