/** Words of sample secrets, default passwords and keyboard walks; what remains without them is what counts. */
const WORDS = `
  secret changeme change password passwort passwd passphrase pass admin administrator root test
  testing tester example sample default dummy placeholder insecure unsafe letmein welcome monkey
  dragon master login guest user username demo local localhost development develop production staging
  prod token session cookie jwt private public access refresh signing encryption hmac key api auth
  oauth app express node nodejs server service database postgres postgresql redis mysql mongo
  portcullis replace please your this that with here some very super long strong secure random value
  string must should need needs todo fixme keyboard cat foo bar baz qux hello world shh dont not the
  and for least bytes characters chars bits temp temporary qwertyuiop qwerty asdfghjkl asdfgh asdf
  zxcvbnm zxcvbn iloveyou sunshine princess football abc xxx`
  .trim()
  .split(/\s+/)
  .sort((a, b) => b.length - a.length);

const LEET: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  '0': 'o',
  '1': 'l',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
});

/** What a well-known word adds to a guesser's work: it is one of some hundred, and seldom a surprise after another. */
const BITS_PER_WORD = 4;

/**
 * Why a secret is too weak for production, or undefined. Cautious, not exact: nobody can measure the entropy of
 * one value. It estimates from the variety of what remains once repetition, sequences and well-known words are
 * taken away. 16 random bytes in hex or base64 have about 90 to 120 by it, `my-super-secret-key-change-me` 20.
 */
export function weaknessOf(secret: string, minEntropyBits: number): string | undefined {
  if (minEntropyBits <= 0) return undefined;
  const unit = period(secret);
  if (unit.length < secret.length && estimate(unit) < minEntropyBits) return 'repeats a short text';
  const { rest, words } = withoutWords(secret);
  const bits = Math.min(estimate(unit), estimate(rest) + BITS_PER_WORD * words);
  if (bits >= minEntropyBits) return undefined;
  if (rest.length < secret.length / 2) return 'consists of well-known words';
  return `has about ${Math.floor(bits)} bits of entropy; at least ${minEntropyBits} are needed`;
}

/** Passwords inside URLs follow other people's rules, so only hopeless ones are refused. */
export function isHopelessPassword(password: string, userName: string): boolean {
  if (password.length < 8 || password.toLowerCase() === userName.toLowerCase()) return true;
  const { rest, words } = withoutWords(period(password));
  return estimate(rest) + BITS_PER_WORD * words < 16;
}

/** Shannon entropy of the characters times their number, with runs and sequences counted once. */
function estimate(text: string): number {
  const kept: string[] = [];
  let step: number | undefined;
  for (let i = 0; i < text.length; i++) {
    const next = i === 0 ? undefined : text.charCodeAt(i) - text.charCodeAt(i - 1);
    const goesOn = next !== undefined && Math.abs(next) <= 1 && next === step;
    if (!goesOn) kept.push(text[i]!);
    step = next;
  }
  const counts = new Map<string, number>();
  for (const c of kept) counts.set(c, (counts.get(c) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / kept.length);
  return bits;
}

/** The shortest text of which this one is a repetition (its last copy may be cut off). */
function period(text: string): string {
  for (let length = 1; length <= text.length / 2; length++) {
    let repeats = true;
    for (let i = length; i < text.length && repeats; i++) repeats = text[i] === text[i - length];
    if (repeats) return text.slice(0, length);
  }
  return text;
}

function withoutWords(text: string): { readonly rest: string; readonly words: number } {
  const lower = text.replace(/[A-Z]/g, (c) => c.toLowerCase());
  const gone = new Uint8Array(text.length);
  const found = new Set<string>();
  // As written first: a digit may be a digit. Then as read, where '$3cr3t' is a word as well.
  for (const form of [lower, lower.replace(/[013457@$!]/g, (c) => LEET[c]!)]) {
    for (const word of WORDS) {
      for (let at = form.indexOf(word); at !== -1; at = form.indexOf(word, at + word.length)) {
        if (gone.subarray(at, at + word.length).includes(1)) continue;
        gone.fill(1, at, at + word.length);
        found.add(word);
      }
    }
  }
  // Random text holds a short word now and then.
  const covered = gone.reduce((sum, bit) => sum + bit, 0);
  if (covered < text.length / 3) return { rest: text, words: 0 };
  const rest = text.replace(/[^]/g, (c, i: number) => (gone[i] === 1 ? '' : c));
  // Separators and years around words say nothing either.
  return {
    rest: rest.replace(/[\s._\-!?:;,/|+#*]+/g, '').replace(/(19|20)\d\d/g, ''),
    words: found.size,
  };
}
