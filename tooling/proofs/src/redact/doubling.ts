import { createRedactor, type ValueRule } from '@portcullis/redact';
import { markdownTable } from '../markdown-table.js';
import type { Part } from './fuzz.js';

const AT_MOST = 2.3;

/** Texts that make a rule begin again and again without an end. */
const HOSTILE: Readonly<Record<ValueRule, readonly string[]>> = {
  pairs: [
    'password=',
    '"password":',
    'token: ',
    'a=b&',
    'secret => "',
    "key='",
    '--password ',
    'x=[',
    'pass\uff1d',
    '\\"token\\":\\"',
    'cookie: a=b; ',
    'mysql -p',
    ' -u a:b ',
    "','",
    'insert into a(',
    "insert into a(password) values('",
    '<password ',
    '<key>password</key>',
    '<password><![CDATA[',
    'name: a\n value: ',
    '&code=a1',
    '"a", "',
    "set password for a = '",
  ],
  url: [
    '://',
    'http://a:b',
    'https://user:pw@',
    'a@b:',
    '//:@',
    '@tcp(',
    ':thin:a/',
    '/token/',
    '/reset/aaaaaaaaaaaaaaaa1',
  ],
  jwt: ['eyJ', 'eyJhbGciOiJIUzI1NiJ9.', 'eyJ.eyJ.', '.'],
  vendor: [
    'ghp_',
    'sk_live_',
    'AKIA',
    'xoxb-',
    'AIza',
    'SG.',
    'npm_a',
    'glpat-',
    ':AA',
    '$2b$10$',
    '$argon2id$v=1$',
  ],
  bearer: ['Bearer ', 'bearer a', 'Bearer\t\t'],
  basic: ['Basic ', 'Basic YQ==', 'basic dXNlcjpw', 'AUTH PLAIN '],
  pem: ['-----BEGIN ', '-----BEGIN PRIVATE KEY-----', '-----', '-----END ', '---- BEGIN SSH2'],
  card: ['4111 ', '4', '4111-1111-', '1 ', '4111 1111 1111 1111 12'],
  json: ['[', '{"a":', '[[],', '"\\"', '{"a":"'],
};
/** Without these, nothing that is not one of them is slow either. */
const OTHERS = [
  '%25',
  '%',
  'a',
  ' ',
  '\\',
  '"',
  "'",
  '\n',
  '\u0430',
  '\u200b',
  '=:',
  '&amp;',
  '&quot;',
  '\\x22',
  '$',
  '*',
];

const SIZES = [1 << 15, 1 << 16] as const;

export function proveDoubling(short: boolean): Part {
  const problems: string[] = [];
  const rows: string[][] = [];
  const rounds = short ? 4 : 15;
  for (const [rule, fragments] of Object.entries(HOSTILE) as [ValueRule, readonly string[]][]) {
    const { redact } = createRedactor({ values: [rule], limits: { string: 1_000_000 } });
    const [worst, text] = worstOf(fragments, (value) => void redact(value), rounds);
    rows.push([`\`${rule}\``, String(fragments.length), worst.toFixed(2), code(text)]);
    if (!(worst <= AT_MOST)) problems.push(`rule ${rule}: x${worst.toFixed(2)} for ${JSON.stringify(text)}`);
  }
  const all = createRedactor({ limits: { string: 1_000_000 } });
  const everything = [...Object.values(HOSTILE).flat(), ...OTHERS];
  const [worst, text] = worstOf(everything, (value) => void all.redact(value), rounds);
  rows.push(['all together', String(everything.length), worst.toFixed(2), code(text)]);
  if (!(worst <= AT_MOST)) problems.push(`all rules: x${worst.toFixed(2)} for ${JSON.stringify(text)}`);
  // A pattern as many have it: tries every blank as the beginning of the last ones.
  const [control] = worstOf([' '], (value) => void /\s+$/.exec(`${value.slice(0, value.length >> 4)}x`), 3);
  rows.push(['control: `/\\s+$/`', '1', control.toFixed(2), code(' ')]);
  if (!(control > AT_MOST)) problems.push(`the control grows by x${control.toFixed(2)} only`);
  return {
    text: `Twice the text: for each rule, hostile fragments repeated to ${SIZES[0].toLocaleString('en')} and ${SIZES[1].toLocaleString('en')} characters; the best of ${rounds} in turns, and the worst ratio of all fragments, which must be at most ${AT_MOST}. The young generation of the process has 64 MB, so that no collection begins between the two.\n\n${markdownTable(['rule', 'fragments', 'worst ratio', 'fragment'], rows)}`,
    problems,
  };
}

/** A ratio that is too high is measured again: another process may have had the processor. */
function worstOf(
  fragments: readonly string[],
  work: (text: string) => void,
  rounds: number,
): [number, string] {
  let worst: [number, string] = [0, ''];
  for (const fragment of fragments) {
    let ratio = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < 10 && !(ratio <= AT_MOST); attempt++) {
      ratio = Math.min(ratio, ratioOf(fragment, work, rounds * (attempt + 1)));
    }
    if (ratio > worst[0]) worst = [ratio, fragment];
  }
  return worst;
}

function ratioOf(fragment: string, work: (text: string) => void, rounds: number): number {
  const [small, large] = SIZES.map((size) =>
    fragment.repeat(Math.ceil(size / fragment.length)).slice(0, size),
  ) as [string, string];
  let [one, two] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  work(small);
  for (let i = 0; i < rounds; i++) {
    one = Math.min(one, timed(work, small));
    two = Math.min(two, timed(work, large));
  }
  return two / one;
}

function timed(work: (text: string) => void, text: string): number {
  const from = performance.now();
  work(text);
  return performance.now() - from;
}

function code(text: string): string {
  return `\`${JSON.stringify(text).replaceAll('|', '\\|')}\``;
}
