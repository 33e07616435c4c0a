import { createRedactor } from '@portcullis/redact';
import { markdownTable } from '../markdown-table.js';

export interface Part {
  readonly text: string;
  readonly problems: readonly string[];
}

const SECRET = 'Zq9-hunter2_Kw7vB';
const NAMES = ['password', 'accessToken', 'X-Api-Key', 'client_secret', 'pass\u200bword', 'userPassword'];
const PLAIN = ['name', 'title', 'monkey', 'items', 'id', '__proto__', 'constructor', 'toJSON', 'a.b', ''];
const TEXTS = [
  '',
  'plain',
  'a\u0000b',
  '\ud800',
  'x'.repeat(300),
  '{"a":[1',
  '%zz%41',
  'user@host',
  '4111 1111',
  '-----BEGIN ',
];

/** Small, seeded and good enough for shapes (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Made {
  readonly event: object;
  /** Whether a secret stands somewhere in it. */
  readonly planted: boolean;
}

function make(next: () => number): Made {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  let planted = false;
  const parents: object[] = [];

  function secret(): string {
    planted = true;
    return SECRET;
  }

  function value(depth: number): unknown {
    const kind = Math.floor(next() * (depth > 2 ? 12 : 26));
    switch (kind) {
      case 0:
        return undefined;
      case 1:
        return null;
      case 2:
        return next() < 0.5;
      case 3:
        return pick([0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]);
      case 4:
        return 10n ** 30n;
      case 5:
        return Symbol('s');
      case 6:
        return () => 1;
      case 7:
        return new Date(pick([0, Number.NaN, 1e12]));
      case 8:
        return pick(TEXTS);
      case 9:
        return `https://u:${secret()}@h/x?y=1`;
      case 10:
        return `{"password":"${secret()}"}`;
      case 11:
        return parents.length > 0 ? pick(parents) : 'top';
      case 12:
        return Buffer.from(secret());
      case 13:
        return new Uint16Array([1, 2, 3]);
      case 14:
        return new Map<unknown, unknown>([
          [pick(NAMES), secret()],
          [{}, value(depth + 1)],
        ]);
      case 15:
        return new Set([value(depth + 1), 'x']);
      case 16:
        return Object.assign(new Error(`token=${secret()}`, { cause: value(depth + 1) }), {
          config: value(depth + 1),
        });
      case 17:
        return new (class Account {
          readonly kind = 'a';
          readonly inner = value(depth + 1);
          get broken(): never {
            throw new Error(SECRET);
          }
        })();
      case 18:
        return Object.freeze([value(depth + 1)]);
      case 19:
        return Object.defineProperty({}, pick(NAMES), { get: () => secret(), enumerable: true });
      case 20:
        return new Proxy(
          { a: 1 },
          pick([
            {},
            {
              ownKeys: () => {
                throw new Error(SECRET);
              },
            },
            {
              get: () => {
                throw new Error(SECRET);
              },
            },
            {
              getOwnPropertyDescriptor: () => {
                throw new Error(SECRET);
              },
            },
          ]),
        );
      case 21:
        return Object.assign(Object.create(null) as object, { [pick(NAMES)]: secret() });
      case 22:
        return { toJSON: () => ({ [pick(NAMES)]: SECRET }) };
      case 23:
        return [value(depth + 1), , value(depth + 1)]; // oxlint-disable-line no-sparse-arrays
      default:
        return object(depth + 1);
    }
  }

  function object(depth: number): object {
    const made: Record<string, unknown> = {};
    parents.push(made);
    const size = 1 + Math.floor(next() * 4);
    for (let i = 0; i < size; i++) {
      const named = next() < 0.2;
      const name = named ? pick(NAMES) : pick(PLAIN);
      const held = named ? secret() : value(depth);
      Object.defineProperty(made, name, {
        value: held,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    if (next() < 0.1) Object.freeze(made);
    return made;
  }

  return { event: object(0), planted };
}

/** What can be seen of a value without calling anything of it: two are alike exactly if nothing was changed. */
function fingerprint(value: unknown): string {
  const seen = new Map<object, number>();
  const parts: string[] = [];
  walk(value);
  return parts.join('');

  function walk(one: unknown): void {
    if (typeof one !== 'object' || one === null) {
      parts.push(typeof one, Object.is(one, -0) ? '-0' : String(one), ';');
      return;
    }
    const known = seen.get(one);
    if (known !== undefined) return void parts.push(`#${known};`);
    seen.set(one, seen.size);
    let descriptors: Record<PropertyKey, PropertyDescriptor>;
    try {
      descriptors = Object.getOwnPropertyDescriptors(one);
      parts.push(String(Object.isFrozen(one)), '{');
    } catch {
      return void parts.push('unreadable;');
    }
    if (one instanceof Map) for (const pair of one) pair.forEach(walk);
    if (one instanceof Set) for (const item of one) walk(item);
    if (one instanceof Date) parts.push(String(one.getTime()));
    if (ArrayBuffer.isView(one))
      return void parts.push(Buffer.from(one.buffer, one.byteOffset, one.byteLength).toString('hex'), '}');
    for (const key of Reflect.ownKeys(descriptors)) {
      const { value: held, get, writable } = descriptors[key]!;
      parts.push(String(key), writable === false ? '!' : '', get ? 'get' : '', ':');
      // The stack of an error is made when it is first read.
      if (!get && key !== 'stack') walk(held);
    }
    parts.push('}');
  }
}

interface Outcome {
  threw: number;
  changed: number;
  leaked: number;
  planted: number;
}

function run(count: number, stringify: (value: unknown) => string): Outcome {
  const outcome: Outcome = { threw: 0, changed: 0, leaked: 0, planted: 0 };
  const next = random(20_261_129);
  for (let i = 0; i < count; i++) {
    const { event, planted } = make(next);
    const before = fingerprint(event);
    let text = '';
    try {
      text = stringify(event);
    } catch {
      outcome.threw++;
    }
    if (planted) outcome.planted++;
    if (text.includes(SECRET)) outcome.leaked++;
    if (fingerprint(event) !== before) outcome.changed++;
  }
  return outcome;
}

/** Masks in place what it knows, as many do. */
function maskInPlace(value: unknown, depth = 0): void {
  if (typeof value !== 'object' || value === null || depth > 5) return;
  for (const [key, held] of Object.entries(value)) {
    if (/password/i.test(key)) (value as Record<string, unknown>)[key] = '[REDACTED]';
    else maskInPlace(held, depth + 1);
  }
}

export function proveFuzz(count: number): Part {
  const { stringify } = createRedactor();
  const ours = run(count, stringify);
  const control = run(Math.min(count, 20_000), (value) => {
    maskInPlace(value);
    return JSON.stringify(value);
  });
  const problems: string[] = [];
  if (ours.threw + ours.changed + ours.leaked > 0) problems.push(`fuzz: ${JSON.stringify(ours)}`);
  if (ours.planted < count / 4) problems.push(`fuzz: only ${ours.planted} events had a secret`);
  for (const fault of ['threw', 'changed', 'leaked'] as const) {
    if (control[fault] === 0) problems.push(`fuzz: the control is not seen to have ${fault}`);
  }
  const line = (name: string, events: number, { planted, threw, changed, leaked }: Outcome): string[] => [
    name,
    events.toLocaleString('en'),
    ...[planted, threw, changed, leaked].map((n) => n.toLocaleString('en')),
  ];
  const table = markdownTable(
    ['', 'events', 'with a secret', 'threw', 'changed their input', 'let the secret through'],
    [
      line('`createRedactor()`', count, ours),
      line('control: masks in place, then JSON', Math.min(count, 20_000), control),
    ],
  );
  return {
    text: `Random events: every kind of value, getters and proxies that throw, cycles, frozen objects, secrets under names, in URLs, in JSON within strings, in errors and bytes.\n\n${table}`,
    problems,
  };
}
