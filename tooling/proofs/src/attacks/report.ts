import { readFileSync } from 'node:fs';
import { families } from './attacks/all.js';
import { FAMILIES, type Attack, type Goal } from './attack.js';
import type { Outcome } from './run-attack.js';
import { STACKS, type Stack } from './scene.js';
import { markdownTable } from '../markdown-table.js';

const TITLES: Readonly<Record<(typeof FAMILIES)[number], string>> = {
  scripts: 'scripts (the hole is there; what the browser refuses)',
  markup: 'markup without scripts',
  encoding: 'encoders and sanitiser (the hole is closed)',
  framing: 'framing',
  windows: 'windows and openers',
  cookies: 'cookies and what stays behind',
  changes: 'changes from other sites',
  reads: 'reads from other sites',
};
const GOALS: Readonly<Record<Goal, string>> = {
  script: "code of the attacker runs with the service's origin",
  change: "the service changes something in the person's name",
  secret: "the attacker's server receives the person's secret",
  loot: "the attacker's server receives what it should not, or shows itself where it should not",
  fixation: "the service takes the person for the attacker's account",
};

const succeeded = (outcomes: readonly Outcome[], attacks: readonly Attack[], stack: Stack): string =>
  String(
    outcomes.filter(
      ({ attack, stack: on, evidence }) => on === stack && attacks.includes(attack) && evidence !== undefined,
    ).length,
  );

/** How many succeed, by family and stack. */
export function table(outcomes: readonly Outcome[]): string {
  const stacks = STACKS.filter((stack) => outcomes.some((outcome) => outcome.stack === stack));
  const ran = (attacks: readonly Attack[]): Attack[] =>
    attacks.filter((attack) => outcomes.some((outcome) => outcome.attack === attack));
  const row = (title: string, attacks: readonly Attack[]): string[] => [
    title,
    String(attacks.length),
    ...stacks.map((stack) => succeeded(outcomes, attacks, stack)),
  ];
  const rows = FAMILIES.flatMap((family) => {
    const attacks = ran(families[family]);
    return attacks.length === 0 ? [] : [row(TITLES[family], attacks)];
  });
  rows.push(row('all', ran(Object.values(families).flat())));
  const head = ['family', 'attacks', ...stacks.map(({ name }) => name)];
  return markdownTable(head, rows);
}

/** The page under docs/proofs. */
export function report(outcomes: readonly Outcome[], browser: string, seconds: number): string {
  const version = (name: string): string =>
    (
      JSON.parse(
        readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8'),
      ) as { version: string }
    ).version;
  const own = STACKS.filter((stack) => stack.own);
  const stops = (attack: Attack): string =>
    [
      ...new Set(
        own.map((stack) => {
          const outcome = outcomes.find((one) => one.attack === attack && one.stack === stack);
          return outcome?.evidence === undefined
            ? cell(shorten(outcome?.stoppedBy ?? 'nothing'))
            : 'nothing, it succeeds';
        }),
      ),
    ].join('; ');
  const sections = FAMILIES.map(
    (family) => `## ${TITLES[family]}

${markdownTable(
  ['attack', 'what', 'goal', 'stopped by'],
  families[family].map((attack) => [attack.id, cell(attack.what), attack.goal, stops(attack)]),
)}
`,
  ).filter((_, i) => families[FAMILIES[i]!].length > 0);
  return `# Attacks in a real browser

\`pnpm prove:attacks --write\`, ${new Date().toISOString().slice(0, 10)}, Chromium ${browser}, Node.js ${process.version}, ${seconds} s.
express ${version('express')} and ${version('express4')}, playwright-core ${version('playwright-core')}.

A little bank is served over HTTPS, bare and with our middleware; the routes are the same, holes included. Each attack has names of its
own for the bank, a page under the same domain, the attacker, a partner and whoever sits on the wire, and a browser context of its
own. The figures are attacks that succeed:

${table(outcomes)}

An attack succeeds when somebody else than the attack sees it: ${Object.entries(GOALS)
    .map(([goal, meaning]) => `**${goal}**: ${meaning}`)
    .join('; ')}.

The proof fails unless every attack succeeds on the bare service, none succeeds on ours, something that the attack names is _seen_ to
stop it there (a violation that the browser reports, a refusal that our middleware tells or the server answers, what the attacker's
page or a look at the page finds instead), and honest people get through on every stack: signing in and out, a form, own scripts, styles and
files without a single violation, own and allowed foreign use of the API, a page that the partner may frame.

The bare service sets its session cookie as services do that are embedded elsewhere or shared between subdomains: readable by scripts,
\`Domain\`, \`SameSite=None; Secure\`. Where the attack does not need that, it is \`res.cookie(name, value)\`. Chromium's own protection
(Lax by default, third-party cookies blocked in incognito windows only) is thus not what is measured. Ours sets the same
cookie by the same code; secureCookies() makes of it what leaves.

What no middleware can stop, and is therefore not in the list: a page that is clicked twice while windows are swapped under the pointer
(double-clickjacking), cookies of a page under the same domain that are only there to fill the jar (denial of service), own scripts that
load scripts from where the attacker says (\`'strict-dynamic'\` trusts them), and own pages that change something by themselves when they are opened.

${sections.join('\n')}`;
}

function shorten(signal: string): string {
  return signal.replaceAll(/https?:\/\/[^\s'"]*/g, '...').slice(0, 90);
}

/** Text that Markdown shows as it is. */
function cell(text: string): string {
  return text.replaceAll(/[\\|<>*_`[\]{}]/g, (character) => `\\${character}`);
}
