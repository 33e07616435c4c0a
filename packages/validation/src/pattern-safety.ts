/**
 * Finds regular expressions that can take exponential time, or polynomial time at the length that their schema
 * allows. A sound linter would refuse half of all honest patterns; this one looks for what makes a backtracking
 * engine try the same text in several ways: a repetition whose rounds can be cut at different places
 * (`(a+)+`, `(\w+\s?)*`), choices that begin alike inside a repetition (`(a|a)*`), and several unbounded
 * repetitions of overlapping characters in a row (`.*.*`).
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
  let tree: readonly Branch[];
  try {
    tree = new Parser(source, report).alternatives();
  } catch {
    return 'has a form that cannot be judged';
  }
  judge(tree, NOTHING, false, report);
  const degree = Math.max(1, ...tree.map((branch) => longestChain(branch)));
  const longest = Math.floor(WORK ** (1 / degree));
  if (maxLength > longest) {
    report(
      degree === 1
        ? `allows ${maxLength} characters; at most ${longest} may be matched`
        : `has ${degree} overlapping repetitions in a row; with those maxLength may be at most ${longest}`,
    );
  }
  return problem;
}

/** Steps that one match may take at worst. */
const WORK = 10_000_000;
/** From so many rounds on a repetition counts as unbounded: few rounds of few choices stay cheap. */
const MANY = 4;

type Branch = readonly Atom[];

interface Atom {
  /** Characters that it can begin with, and characters that it can contain. */
  readonly first: CharSet;
  readonly all: CharSet;
  readonly nullable: boolean;
  /** More than one round, and not a fixed number of them. */
  readonly loops: boolean;
  /** Up to so many rounds. */
  readonly rounds: number;
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

/** Walks from right to left, knowing what may follow; inside a loop its own beginning may follow too. */
function judge(
  branches: readonly Branch[],
  after: CharSet,
  inLoop: boolean,
  report: (problem: string) => void,
): void {
  for (const branch of branches) {
    let follow = after;
    for (const atom of branch.toReversed()) {
      const many = atom.rounds >= MANY;
      if (atom.branches) {
        if (many) {
          const firsts = atom.branches.map(firstOf);
          const alike = firsts.some((first, i) => firsts.slice(i + 1).some((other) => overlap(first, other)));
          if (alike) report('repeats choices that can begin alike');
          if (atom.branches.some(isNullable)) report('repeats something that may be empty');
        }
        const next = atom.rounds > 1 ? union(follow, atom.first) : follow;
        judge(atom.branches, next, inLoop || many, report);
      }
      if (inLoop && many && atom.loops && overlap(atom.all, follow)) {
        report('nests repetitions that can share characters');
      }
      follow = atom.nullable ? union(atom.first, follow) : atom.first;
    }
  }
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
const isUnbounded = (atom: Atom): boolean =>
  (atom.loops && atom.rounds >= MANY) || (atom.branches?.some((branch) => branch.some(isUnbounded)) ?? false);

/** The most unbounded repetitions in a row that can take characters from each other. */
function longestChain(branch: Branch): number {
  let [longest, chain, held] = [0, 0, NOTHING];
  for (const atom of branch) {
    const inner = atom.branches ? Math.max(0, ...atom.branches.map(longestChain)) : 0;
    if (isUnbounded(atom)) {
      const own = Math.max(1, inner);
      [chain, held] =
        chain > 0 && overlap(held, atom.all) ? [chain + own, union(held, atom.all)] : [own, atom.all];
      longest = Math.max(longest, chain);
    } else if (!atom.nullable && !overlap(held, atom.all)) {
      [chain, held] = [0, NOTHING];
    }
  }
  return longest;
}

/** Reads as much of the grammar as the rules need; the pattern is known to be valid. */
class Parser {
  #at = 0;
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
      this.#repeated({ first: NOTHING, all: NOTHING, nullable: true, loops: false, rounds: 1 });
      return undefined;
    }
    if (text === '^' || text === '$' || text === '\\b' || text === '\\B') return undefined;
    const one = new RegExp(`^(?:${text})$`, 'u');
    const all = SAMPLES.map((sample) => one.test(sample));
    return this.#repeated({ first: all, all, nullable: false, loops: false, rounds: 1 });
  }

  #group(opening: string): Atom | undefined {
    this.#at += opening.length;
    const branches = this.alternatives();
    this.#at++; // The closing parenthesis.
    if (/[=!]$/.test(opening) && opening.length > 1) {
      // Looking around takes no characters; what stands inside is judged for itself.
      judge(branches, NOTHING, false, this.report);
      return undefined;
    }
    return this.#repeated({
      first: unionOf(branches.map(firstOf)),
      all: unionOf(branches.flatMap((branch) => branch.map(({ all }) => all))),
      nullable: branches.some(isNullable),
      loops: false,
      rounds: 1,
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
    return { ...atom, nullable: atom.nullable || min === 0, loops: max > 1 && max !== min, rounds: max };
  }

  #take(expression: RegExp): string {
    const text = expression.exec(this.source.slice(this.#at))?.[0] ?? '';
    this.#at += text.length;
    return text;
  }
}
