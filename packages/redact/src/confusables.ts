/** Letters of other scripts that look like ASCII letters, as used to slip a name past a filter. */
const LOOKALIKES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    a: '\u0430\u0251\u03b1\u1d00',
    b: '\u0432\u044c\u0299\u0185',
    c: '\u0441\u03f2\u1d04',
    d: '\u0501\u0257\u1d05',
    e: '\u0435\u0454\u03b5\u1d07',
    f: '\u03dd\ua730',
    g: '\u0261\u0262',
    h: '\u04bb\u043d\u029c',
    i: '\u0456\u0131\u03b9\u026a\u04cf',
    j: '\u0458\u1d0a',
    k: '\u043a\u03ba\u1d0b',
    l: '\u217c\u029f\u01c0',
    m: '\u043c\u1d0d',
    n: '\u0578\u043f\u0274\u03b7',
    o: '\u043e\u03bf\u0585\u1d0f\u03c3',
    p: '\u0440\u03c1\u1d18',
    q: '\u051b',
    r: '\u0433\u0280',
    s: '\u0455\ua731\u0282',
    t: '\u0442\u03c4\u1d1b',
    u: '\u03c5\u057d\u1d1c\u0446',
    v: '\u0475\u03bd\u1d20',
    w: '\u0461\u051d\u03c9\u1d21\u0561',
    x: '\u0445\u03c7',
    y: '\u0443\u04af\u03b3\u028f',
    z: '\u1d22\u0290',
  }).flatMap(([letter, others]) => Array.from(others, (other): [string, string] => [other, letter])),
);

const isPlainAscii = /^[\x20-\x7e]*$/;

/**
 * A name as the eye reads it: compatibility forms folded (fullwidth, mathematical), combining marks and invisible
 * characters removed, look-alike letters replaced. Case is kept where the script has it, for splitting camel case.
 */
export function foldName(name: string): string {
  if (isPlainAscii.test(name)) return name;
  const visible = name.normalize('NFKD').replace(/\p{Mn}|\p{Cf}|\p{Cc}|\u115f|\u1160|\u3164|\uffa0/gu, '');
  let folded = '';
  for (const character of visible) {
    const lower = character.toLowerCase();
    const letter = LOOKALIKES.get(lower);
    if (letter === undefined) folded += character;
    else folded += lower === character ? letter : letter.toUpperCase();
  }
  return folded;
}
