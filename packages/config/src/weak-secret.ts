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

/**
 * Why a secret is too weak for production, or undefined. Cautious, not exact: nobody can measure the entropy of
 * one value. It estimates from the variety of what remains once repetition, sequences and well-known words are
 * taken away. 16 random bytes in hex or base64 pass the default of 64 bits; `my-super-secret-key-change-me` has 0.
 */
export function weaknessOf(secret: string, minEntropyBits: number): string | undefined {
  if (minEntropyBits <= 0) return undefined;
  const unit = period(secret);
  if (unit.length < secret.length && estimate(unit) < minEntropyBits) return 'repeats a short text';
  const plain = withoutWords(secret);
  if (plain.length < secret.length / 2 && estimate(plain) < minEntropyBits) {
    return 'consists of well-known words';
  }
  const bits = Math.floor(
    Math.min(estimate(unit), plain.length < secret.length ? estimate(plain) : Infinity),
  );
  return bits < minEntropyBits
    ? `has about ${bits} bits of entropy; at least ${minEntropyBits} are needed`
    : undefined;
}

/** Passwords inside URLs follow other people's rules, so only hopeless ones are refused. */
export function isHopelessPassword(password: string, userName: string): boolean {
  if (password.length < 8 || password.toLowerCase() === userName.toLowerCase()) return true;
  return estimate(withoutWords(period(password))) < 12;
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

function withoutWords(text: string): string {
  const lower = text.toLowerCase();
  const read = lower
    .split('')
    .map((c) => LEET[c] ?? c)
    .join('');
  // As written first: a digit may be a digit. Then as read, where '$3cr3t' is a word as well.
  const gone = new Uint8Array(lower.length);
  for (const form of [lower, read.length === lower.length ? read : lower]) {
    for (const word of WORDS) {
      for (let at = form.indexOf(word); at !== -1; at = form.indexOf(word, at + word.length)) {
        gone.fill(1, at, at + word.length);
      }
    }
  }
  const rest = lower
    .split('')
    .filter((_, i) => gone[i] !== 1)
    .join('');
  // Separators and years around the words say nothing either.
  return rest.length < text.length
    ? rest.replace(/[\s._\-!?:;,/|+#*]+/g, '').replace(/(19|20)\d\d/g, '')
    : text;
}
