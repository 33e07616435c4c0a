/**
 * Finds regular expressions that can take exponential time, or more than a million steps at the length that their
 * schema allows. Inside a repetition every decision must follow from the next character: no choices that begin
 * alike (`(a|a)*`), nothing of variable length that what follows could also take (`(a+)+`, `(\w\s?)*`), nothing
 * empty. Outside of repetitions the ways to divide a text among neighbours (`.*.*`) are multiplied up.
 * Some honest patterns are refused; each has an equivalent that is accepted.
 */
export function patternProblem(source: string, maxLength: number): string | undefined {
  try {
    // Ajv compiles patterns with the flag u as well.
    void new RegExp(source, 'u');
  } catch {
    return 'is no regular expression';
  }
  let problem: string | undefined;
  const report = (text: string) => {
    problem ??= text;
  };
  let parser: Parser;
  let tree: readonly Branch[];
  try {
    parser = new Parser(source, report);
    tree = parser.alternatives();
  } catch {
    return 'has a form that cannot be judged';
  }
  // What looks around, and what is not anchored, is tried at every position.
  const anchored = tree.every(([first]) => first === START);
  const tried = [
    { branches: tree, starts: anchored ? 1 : maxLength },
    ...parser.lookarounds.map((branches) => ({ branches, starts: maxLength })),
  ];
  for (const { branches, starts } of tried) {
    judge(branches, NOTHING, false, report);
    const steps = Math.max(...branches.map((branch) => waysOf(branch, maxLength))) * maxLength * starts;
    if (steps > MAX_STEPS) {
      report(
        `can take ${steps.toPrecision(1)} steps at maxLength ${maxLength}; shorten that, anchor it with ^, or let neighbours share no characters`,
      );
    }
  }
  return problem;
}

/** A few milliseconds. */
const MAX_STEPS = 1_000_000;

type Branch = readonly Atom[];

interface Atom {
  /** Characters that it can begin with, and characters that it can contain. */
  readonly first: CharSet;
  readonly all: CharSet;
  readonly nullable: boolean;
  /** From so many rounds to so many. */
  readonly min: number;
  readonly max: number;
  readonly branches?: readonly Branch[];
}

/** Which of the sample characters: ASCII, Latin-1, and a few of the other kinds that classes distinguish. */
type CharSet = readonly boolean[];
const SAMPLES = [
  ...Array.from({ length: 256 }, (_, code) => String.fromCodePoint(code)),
  '\u03B1', '\u0416', '\u05D0', '\u0660', '\u2028', '\u4E2D', '\uFEFF', '\u{1F600}',
]; // prettier-ignore
const NOTHING: CharSet = SAMPLES.map(() => false);

const union = (a: CharSet, b: CharSet): CharSet => a.map((has, i) => has || b[i]!);
const overlap = (a: CharSet, b: CharSet): boolean => a.some((has, i) => has && b[i]!);
const unionOf = (sets: readonly CharSet[]): CharSet => sets.reduce(union, NOTHING);

/** The anchor `^`: takes nothing. */
const START: Atom = { first: NOTHING, all: NOTHING, nullable: true, min: 1, max: 1 };

/** Walks from right to left, knowing what may follow; in a repetition its own beginning may follow too. */
function judge(
  branches: readonly Branch[],
  after: CharSet,
  repeated: boolean,
  report: (problem: string) => void,
): void {
  if (repeated && beginAlike(branches)) report('repeats choices that can begin alike');
  if (repeated && branches.some(isNullable)) report('repeats something that may be empty');
  for (const branch of branches) {
    let follow = after;
    for (const atom of branch.toReversed()) {
      if (repeated && atom.max !== atom.min && overlap(atom.all, follow)) {
        report('nests repetitions that can share characters');
      }
      if (atom.branches) {
        const next = atom.max > 1 ? union(follow, atom.first) : follow;
        judge(atom.branches, next, repeated || atom.max > 1, report);
      }
      follow = atom.nullable ? union(atom.first, follow) : atom.first;
    }
  }
}

function beginAlike(branches: readonly Branch[]): boolean {
  const firsts = branches.map(firstOf);
  return firsts.some((first, i) => firsts.slice(i + 1).some((other) => overlap(first, other)));
}

function firstOf(branch: Branch): CharSet {
  const sets: CharSet[] = [];
  for (const atom of branch) {
    sets.push(atom.first);
    if (!atom.nullable) break;
  }
  return unionOf(sets);
}

const isNullable = (branch: Branch): boolean => branch.every((atom) => atom.nullable);
const variesInside = (atom: Atom): boolean =>
  atom.branches?.some((branch) => branch.some((inner) => inner.max !== inner.min || variesInside(inner))) ??
  false;

/**
 * In how many ways one text can be divided among the atoms. Neighbours of variable length that share characters
 * divide what they have between them; the last one takes what is left.
 */
function waysOf(branch: Branch, length: number): number {
  let ways = 1;
  let held = NOTHING;
  let pending = 1;
  for (const atom of branch) {
    const inner = atom.branches ? Math.max(...atom.branches.map((choice) => waysOf(choice, length))) : 1;
    ways *= inner * (atom.branches && beginAlike(atom.branches) ? atom.branches.length : 1);
    const range = variesInside(atom) ? length : Math.max(1, Math.min(atom.max, length) - atom.min + 1);
    const shares = overlap(held, atom.all);
    if (range > 1) {
      if (shares) ways *= pending;
      pending = range;
      held = shares ? union(held, atom.all) : atom.all;
    } else {
      held = shares ? union(held, atom.all) : NOTHING;
    }
  }
  return ways;
}

/** Reads as much of the grammar as the rules need; the pattern is known to be valid. */
class Parser {
  #at = 0;
  readonly lookarounds: (readonly Branch[])[] = [];
  constructor(
    private readonly source: string,
    private readonly report: (problem: string) => void,
  ) {}

  alternatives(): readonly Branch[] {
    const branches: Atom[][] = [[]];
    while (this.#at < this.source.length && this.source[this.#at] !== ')') {
      if (this.source[this.#at] === '|') {
        this.#at++;
        branches.push([]);
      } else {
        const atom = this.#atom();
        if (atom) branches.at(-1)!.push(atom);
      }
    }
    return branches;
  }

  #atom(): Atom | undefined {
    const opening = /^\((?:\?(?:<?[=!]|:|<[^>]*>))?/.exec(this.source.slice(this.#at))?.[0];
    if (opening !== undefined) return this.#group(opening);
    const text = this.#take(
      /^(?:\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\c[a-z]|\\k<[^>]*>|\\[1-9]\d*|\\.|.)/isu,
    );
    if (/^\\(?:k|[1-9])/.test(text)) {
      this.report('refers back to a group');
      this.#repeated({ first: NOTHING, all: NOTHING, nullable: true, min: 1, max: 1 });
      return undefined;
    }
    if (text === '^') return START;
    if (text === '$' || text === '\\b' || text === '\\B') return undefined;
    const one = new RegExp(`^(?:${text})$`, 'u');
    const all = SAMPLES.map((sample) => one.test(sample));
    return this.#repeated({ first: all, all, nullable: false, min: 1, max: 1 });
  }

  #group(opening: string): Atom | undefined {
    this.#at += opening.length;
    const branches = this.alternatives();
    this.#at++; // The closing parenthesis.
    if (/[=!]$/.test(opening) && opening.length > 1) {
      // Looking around takes no characters; what stands inside is judged for itself.
      this.lookarounds.push(branches);
      return undefined;
    }
    return this.#repeated({
      first: unionOf(branches.map(firstOf)),
      all: unionOf(branches.flatMap((branch) => branch.map(({ all }) => all))),
      nullable: branches.some(isNullable),
      min: 1,
      max: 1,
      branches,
    });
  }

  #repeated(atom: Atom): Atom {
    const quantifier = this.#take(/^(?:[*+?]|\{\d+(?:,\d*)?\})?\??/);
    const [, low = '', comma, high = ''] = /^\{(\d+)(,?)(\d*)\}/.exec(quantifier) ?? [];
    const kind = quantifier[0];
    const min = low ? Number(low) : kind === '+' || kind === undefined ? 1 : 0;
    const open = kind === '*' || kind === '+' || (comma === ',' && high === '');
    const max = open ? Number.POSITIVE_INFINITY : high ? Number(high) : low ? Number(low) : 1;
    return { ...atom, nullable: atom.nullable || min === 0, min, max };
  }

  #take(expression: RegExp): string {
    const text = expression.exec(this.source.slice(this.#at))?.[0] ?? '';
    this.#at += text.length;
    return text;
  }
}
