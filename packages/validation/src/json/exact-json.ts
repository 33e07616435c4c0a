import { PROTOTYPE_NAMES } from '../prepare-schema.js';
import { JsonFault, type JsonRule } from './json-fault.js';

export interface JsonLimits {
  /** Objects and arrays inside one another. */
  readonly maxDepth: number;
  /** Keys of all objects together. */
  readonly maxKeys: number;
  /** Entries of all arrays together. */
  readonly maxItems: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const DOT = 0x2e;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** RFC 8259 section 6. */
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const HEX = /[0-9A-Fa-f]{4}/y;
const ESCAPES: Readonly<Record<string, string>> = Object.freeze({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
});

/**
 * Reads one JSON text (RFC 8259) in one reading only (RFC 7493, I-JSON): what another parser could read differently,
 * or what JavaScript cannot hold, is refused. Linear in the length of the text; recursion is bounded by `maxDepth`.
 * @throws JsonFault
 */
export function readExactJson(text: string, limits: JsonLimits): unknown {
  return new ExactReader(text, limits).document();
}

class ExactReader {
  #at = 0;
  #keys = 0;
  #items = 0;
  readonly #path: (string | number)[] = [];

  constructor(
    private readonly text: string,
    private readonly limits: JsonLimits,
  ) {}

  document(): unknown {
    if (this.text.codePointAt(0) === 0xfeff)
      this.#fail('byteOrderMark', 'must not begin with a byte order mark');
    this.#space();
    const value = this.#value();
    this.#space();
    if (this.#at < this.text.length) this.#fail('trailing', 'must end after its first value');
    return value;
  }

  #value(): unknown {
    switch (this.text.charCodeAt(this.#at)) {
      case OPEN_OBJECT:
        return this.#object();
      case OPEN_ARRAY:
        return this.#array();
      case QUOTE:
        return this.#string();
      case 0x74:
        return this.#word('true', true);
      case 0x66:
        return this.#word('false', false);
      case 0x6e:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#enter();
    if (this.#closes(CLOSE_OBJECT)) return object;
    for (;;) {
      const start = this.#at;
      if (this.text.charCodeAt(start) !== QUOTE)
        this.#fail('syntax', 'must have a key in double quotes here');
      const key = this.#string();
      this.#path.push(key);
      if (Object.hasOwn(object, key)) this.#fail('duplicateKey', 'must not occur twice in one object', start);
      if (PROTOTYPE_NAMES.has(key)) this.#fail('prototypeKey', 'is a name that is not accepted', start);
      if (++this.#keys > this.limits.maxKeys) {
        this.#fail('keys', `must not have more than ${this.limits.maxKeys} keys`, start);
      }
      this.#space();
      if (this.text.charCodeAt(this.#at) !== COLON) this.#fail('syntax', 'must have a colon here');
      this.#at++;
      this.#space();
      object[key] = this.#value();
      this.#path.pop();
      if (!this.#goesOn(CLOSE_OBJECT)) return object;
    }
  }

  #array(): unknown[] {
    const array: unknown[] = [];
    this.#enter();
    if (this.#closes(CLOSE_ARRAY)) return array;
    for (;;) {
      this.#path.push(array.length);
      if (++this.#items > this.limits.maxItems) {
        this.#fail('items', `must not have more than ${this.limits.maxItems} entries`);
      }
      array.push(this.#value());
      this.#path.pop();
      if (!this.#goesOn(CLOSE_ARRAY)) return array;
    }
  }

  #depth = 0;

  #enter(): void {
    if (++this.#depth > this.limits.maxDepth) {
      this.#fail('depth', `must not be nested more than ${this.limits.maxDepth} deep`);
    }
    this.#at++;
    this.#space();
  }

  #closes(bracket: number): boolean {
    if (this.text.charCodeAt(this.#at) !== bracket) return false;
    this.#at++;
    this.#depth--;
    return true;
  }

  /** After a member: true behind a comma, false behind the closing bracket. */
  #goesOn(bracket: number): boolean {
    this.#space();
    if (this.#closes(bracket)) return false;
    if (this.text.charCodeAt(this.#at) !== COMMA) this.#fail('syntax', 'must have a comma or the end here');
    this.#at++;
    this.#space();
    return true;
  }

  #string(): string {
    const opening = this.#at;
    let from = ++this.#at;
    let value = '';
    let escaped = false;
    for (;;) {
      const code = this.text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        value += this.text.slice(from, this.#at) + this.#escape();
        from = this.#at;
        escaped = true;
      } else if (code >= 0x20) {
        this.#at++;
      } else if (code === 0) {
        this.#fail('nul', 'must not contain NUL');
      } else {
        // Also NaN: the text has ended.
        this.#fail('syntax', 'must end its string, and write control characters as escapes');
      }
    }
    value += this.text.slice(from, this.#at);
    this.#at++;
    // Escapes can put two halves together, or leave one alone; UTF-8 itself cannot hold half a character.
    if (escaped && !value.isWellFormed())
      this.#fail('surrogate', 'must not contain half a character', opening);
    return value;
  }

  #escape(): string {
    const start = this.#at;
    const letter = this.text[start + 1] ?? '';
    this.#at += 2;
    if (letter !== 'u') {
      const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      return plain ?? this.#fail('syntax', 'must not have an unknown escape', start);
    }
    HEX.lastIndex = this.#at;
    if (!HEX.test(this.text)) this.#fail('syntax', 'must have four hexadecimal digits after \\u', start);
    const code = Number.parseInt(this.text.slice(this.#at, this.#at + 4), 16);
    this.#at += 4;
    if (code === 0) this.#fail('nul', 'must not contain NUL', start);
    return String.fromCharCode(code);
  }

  #word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.#at)) this.#fail('syntax', 'must be a JSON value');
    this.#at += word.length;
    return value;
  }

  #number(): number {
    const start = this.#at;
    let short = 0;
    let code = this.text.charCodeAt(start);
    // Most numbers are short integers without a sign; 15 digits are always exact.
    if (code >= 0x31 && code <= 0x39) {
      for (let i = start; i < start + 15;) {
        short = short * 10 + (code - 0x30);
        code = this.text.charCodeAt(++i);
        if (code >= 0x30 && code <= 0x39) continue;
        if (code === DOT || code === 0x65 || code === 0x45) break;
        this.#at = i;
        return short;
      }
    }
    return this.#anyNumber(start);
  }

  #anyNumber(start: number): number {
    NUMBER.lastIndex = start;
    const match = NUMBER.exec(this.text);
    if (!match) return this.#fail('syntax', 'must be a JSON value');
    this.#at = NUMBER.lastIndex;
    const literal = match[0];
    const value = Number(literal);
    if (!Number.isFinite(value)) this.#fail('number', 'must be a number within the range of doubles', start);
    if (Object.is(value, -0)) this.#fail('number', 'must not be minus zero', start);
    if (value === 0 && /[1-9]/.test(literal.replace(/[eE].*/, ''))) {
      this.#fail('number', 'must not be so small that it becomes zero', start);
    }
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      this.#fail('number', 'must not be an integer beyond 2^53 - 1', start);
    }
    return value;
  }

  #space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #fail(rule: JsonRule, message: string, offset: number = this.#at): never {
    throw new JsonFault(rule, message, offset, [...this.#path]);
  }
}
