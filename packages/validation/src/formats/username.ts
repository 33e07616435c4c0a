import { LOOK_ALIKES } from './look-alikes.js';

/**
 * Scripts in modern use (UAX 31, table 5), each name in one of them; Japanese, Chinese and Korean mix theirs (UTS 39,
 * "highly restrictive" without the Latin letters that it would allow beside them).
 */
const SCRIPTS = [
  'Latin',
  'Greek',
  'Cyrillic',
  'Armenian',
  'Hebrew',
  'Arabic',
  'Devanagari',
  'Bengali',
  'Gurmukhi',
  'Gujarati',
  'Oriya',
  'Tamil',
  'Telugu',
  'Kannada',
  'Malayalam',
  'Sinhala',
  'Thai',
  'Lao',
  'Tibetan',
  'Myanmar',
  'Georgian',
  'Ethiopic',
  'Khmer',
  'Thaana',
].map((name) => inScripts(name));
const ONE_SCRIPT = [
  ...SCRIPTS,
  inScripts('Han', 'Hiragana', 'Katakana'),
  inScripts('Han', 'Bopomofo'),
  inScripts('Han', 'Hangul'),
];

/** Letters, their marks and decimal digits; single dots, hyphens and underscores between them. */
const SHAPE = /^[\p{L}\p{Nd}][\p{M}]{0,4}(?:[._-]?[\p{L}\p{Nd}]\p{M}{0,4})*$/u;

/** Fillers that are letters by category and draw nothing, and letters that are drawn as punctuation. */
const DRAWN_AS_NOTHING = /[\u115F\u1160\u3164\uFFA0\u02B0-\u02FF\u0559\u0640\uA788-\uA78C\u01C0-\u01C3]/u;

/**
 * A user name of 3 to 32 characters in the writing of its owner, after the rules of UTS 39: NFKC, no invisible
 * characters, one script, digits of one kind, and not a word that could be read as another one in Latin letters
 * (whole-script look-alikes, such as Cyrillic `a c e o p x`). Reserved names are refused in every disguise.
 * Two names can still look alike: keep {@link usernameSkeleton} in a unique column besides the name.
 */
export function isUnicodeUsername(text: string): boolean {
  const { length } = Array.from(text);
  if (length < 3 || length > 32 || !text.isWellFormed() || text.normalize('NFKC') !== text) return false;
  if (!SHAPE.test(text) || DRAWN_AS_NOTHING.test(text) || !hasOneKindOfDigits(text)) return false;
  const letters = text.replaceAll(/[0-9._-]/g, '');
  if (letters !== '' && !ONE_SCRIPT.some((script) => script.test(letters))) return false;
  return !isLatinInDisguise(letters) && !isReservedName(text);
}

/**
 * What a name looks like: two names that a person could take for one another have the same skeleton (UTS 39 section 4,
 * with the look-alikes of Latin letters and digits in Latin, Greek, Cyrillic and Armenian). For a unique column, never shown.
 */
export function usernameSkeleton(name: string): string {
  const shapes = Array.from(name.normalize('NFKD')).map((one) => LOOK_ALIKES.get(one) ?? one.toLowerCase());
  // Marks are what a reader overlooks first, and so is what stands between words.
  return shapes
    .join('')
    .replaceAll(/[\p{M}._-]/gu, '')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll(/[1il|]/g, 'l')
    .replaceAll('0', 'o');
}

/** Names by which somebody could speak for the service, or that services and browsers give a meaning to. */
const RESERVED = new Set(
  `abuse account accounts admin administrator admins anonymous api app assets auth billing bot contact daemon
  everyone ftp guest help helpdesk hostmaster info legal login logout mail mailerdaemon me moderator news nobody
  noreply null official owner postmaster privacy register root security service settings shutdown signin signout
  signup staff status superuser support sysadmin sysop system team test undefined user users webmaster wellknown www`
    .split(/\s+/)
    .map(usernameSkeleton),
);

/** True for a reserved name in any case, punctuation or look-alike letters. */
export function isReservedName(name: string): boolean {
  return RESERVED.has(usernameSkeleton(name));
}

function inScripts(...names: readonly string[]): RegExp {
  const either = names.map((name) => `\\p{scx=${name}}`).join('');
  return new RegExp(`^[${either}]+$`, 'u');
}

/** Digits of two systems look alike without being equal: U+0664 and U+06F4 (UTS 39 section 5.3). */
function hasOneKindOfDigits(text: string): boolean {
  const zeros = new Set(
    Array.from(text)
      .filter((one) => /\p{Nd}/u.test(one))
      .map(zeroOf),
  );
  return zeros.size <= 1;
}

/** The zero of a digit's system: decimal digits stand in rows of ten that do not touch. */
function zeroOf(digit: string): number {
  let code = digit.codePointAt(0)!;
  while (/\p{Nd}/u.test(String.fromCodePoint(code - 1))) code--;
  return code;
}

/** Letters of another script that all have a Latin double. One that has none gives the script away. */
function isLatinInDisguise(letters: string): boolean {
  if (letters === '' || /\p{sc=Latin}/u.test(letters)) return false;
  return Array.from(letters.normalize('NFKD'))
    .filter((one) => /\p{L}/u.test(one))
    .every((one) => LOOK_ALIKES.has(one));
}
