import { inspect } from 'node:util';
import { isError } from '@portcullis/core';
import { peek, peekString } from './peek.js';

/** An error as a plain record for the log: no getters, no circles, bounded in length. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
  /** Private details of a `SecurityError`. */
  readonly details?: string;
  readonly cause?: ErrorRecord;
  /** The first errors of an `AggregateError`. */
  readonly errors?: readonly ErrorRecord[];
}

const MAX_MESSAGE = 4_000;
const MAX_STACK = 16_000;
const MAX_DEPTH = 5;
const MAX_ERRORS = 5;

/** What an error holds, as it was found: neither cut nor turned into text. */
interface RawError {
  readonly name: string;
  readonly message: unknown;
  readonly code?: string | number;
  readonly stack?: string;
  readonly details?: unknown;
  readonly cause?: RawError;
  readonly errors?: readonly RawError[];
}

/** Describes anything that was thrown. Total: never throws. For logs only, never for clients. */
export function describeError(thrown: unknown, depth = 0): ErrorRecord {
  return presentError(gatherError(thrown, depth));
}

/** The first half of {@link describeError}. Total. */
export function gatherError(thrown: unknown, depth = 0): RawError {
  if (!isError(thrown)) return { name: nameOf(thrown), message: thrown };
  const code = peek(thrown, 'code');
  const stack = peekString(thrown, 'stack');
  const details = peek(thrown, 'details');
  const cause = peek(thrown, 'cause');
  return {
    name: peekString(thrown, 'name') ?? 'Error',
    message: peekString(thrown, 'message') ?? '',
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(stack === undefined ? {} : { stack }),
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined || depth >= MAX_DEPTH ? {} : { cause: gatherError(cause, depth + 1) }),
    ...errorsOf(thrown, depth),
  };
}

/** The second half of {@link describeError}: bounded texts, of whatever a redactor has left in between. */
export function presentError(raw: unknown, depth = 0): ErrorRecord {
  if (typeof raw !== 'object' || raw === null) return { name: 'Error', message: show(raw) };
  const code = peek(raw, 'code');
  const stack = peekString(raw, 'stack');
  const details = peek(raw, 'details');
  const cause = peek(raw, 'cause');
  const errors = peek(raw, 'errors');
  return {
    name: cut(peekString(raw, 'name') ?? 'Error', 200),
    message: show(peek(raw, 'message')),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(stack === undefined ? {} : { stack: cut(stack, MAX_STACK) }),
    ...(details === undefined ? {} : { details: show(details) }),
    ...(cause === undefined || depth >= MAX_DEPTH ? {} : { cause: presentError(cause, depth + 1) }),
    ...(depth < MAX_DEPTH && Array.isArray(errors)
      ? { errors: errors.slice(0, MAX_ERRORS).map((entry: unknown) => presentError(entry, depth + 1)) }
      : {}),
  };
}

function errorsOf(error: Error, depth: number): { errors?: readonly RawError[] } {
  if (depth >= MAX_DEPTH || peekString(error, 'name') !== 'AggregateError') return {};
  try {
    const list: unknown = peek(error, 'errors');
    if (!Array.isArray(list)) return {};
    return { errors: list.slice(0, MAX_ERRORS).map((entry: unknown) => gatherError(entry, depth + 1)) };
  } catch {
    return {};
  }
}

function nameOf(thrown: unknown): string {
  return `thrown ${thrown === null ? 'null' : typeof thrown}`;
}

function show(value: unknown): string {
  try {
    if (typeof value === 'string') return cut(value, MAX_MESSAGE);
    const text = inspect(value, {
      depth: 3,
      maxArrayLength: 20,
      maxStringLength: 1_000,
      breakLength: Infinity,
    });
    return cut(text, MAX_MESSAGE);
  } catch {
    return '(cannot be shown)';
  }
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}... (${text.length} characters)` : text;
}
