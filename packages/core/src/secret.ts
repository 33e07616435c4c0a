import { inspect } from 'node:util';

const BRAND = Symbol.for('portcullis.secret');
const SHOWN = '[secret]';

/**
 * Keeps a value out of logs, JSON, templates and `util.inspect`: all of them see `[secret]`.
 * Opening one is a word that can be searched for: `secret.reveal()`.
 * Does not wipe memory: strings in Node cannot be erased.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
    Object.defineProperty(this, BRAND, { value: true, enumerable: false });
    Object.freeze(this);
  }

  /** True for a Secret of any module copy. */
  static is(value: unknown): value is Secret<unknown> {
    return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [Symbol.toPrimitive](): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
