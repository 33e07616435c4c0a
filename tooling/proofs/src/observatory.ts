// pnpm prove:observatory [--short] [--write]: what others who judge headers say about ours. MDN's HTTP Observatory scans real servers
// over TLS, Google's csp_evaluator reads their policies, a client asks for every class of answer, and Chromium reports violations.
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { launchBrowser } from './browser.js';
import { answerClasses, ask, missingFrom } from './observatory/answers.js';
import { makeCertificate } from './observatory/certificate.js';
import { findingsOf } from './observatory/policies.js';
import { reportsOf, VISITS, type ReportRun } from './observatory/reports.js';
import { serve, type Served } from './observatory/serve.js';
import { makeFiles, sites, type Major } from './observatory/sites.js';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' } },
});
const WANTED_SCORE = 135;

interface ScanOutcome {
  readonly host: string;
  readonly grade: string;
  readonly score: number;
  readonly passed: number;
  readonly tests: readonly { name: string; result: string; pass: boolean; points: number }[];
}

interface Outcome {
  readonly name: string;
  readonly scan: ScanOutcome;
  readonly findings: readonly string[];
  /** Classes whose answer is not whole, with what is missing. */
  readonly incomplete: readonly { readonly name: string; readonly missing: readonly string[] }[];
}

const problems: string[] = [];
const certificate = makeCertificate();
const files = makeFiles();
const served: Served[] = [];
const browser = await launchBrowser([
  `--ignore-certificate-errors-spki-list=${certificate.spki}`,
  // Chromium gathers reports for a minute before it sends them; what is sent stays the same.
  '--short-reporting-delay',
]);
try {
  const all = sites(files);
  for (const { makeApp } of all) served.push(await serve(certificate, makeApp));
  const scans = await scan(served.map(({ host }) => host));
  const outcomes: Outcome[] = [];
  for (const [i, { name, claim }] of all.entries()) {
    const { host } = served[i]!;
    const outcome = { name, scan: scans[i]!, ...(await askEverything(host)) };
    outcomes.push(outcome);
    if (claim === 'holds') mustHold(outcome);
    else mustFallShort(outcome);
  }
  const reports = await browserReports();
  console.log(table(outcomes));
  for (const line of describeReports(reports)) console.log(line);
  if (flags.write)
    writeFileSync(
      new URL('../../../docs/proofs/observatory.md', import.meta.url),
      document(outcomes, reports),
    );
} finally {
  await browser.close();
  for (const { close } of served) close();
  certificate.remove();
  rmSync(files, { recursive: true, force: true });
}
for (const problem of problems) console.log(`PROBLEM ${problem}`);
console.log(`observatory: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

async function scan(hosts: readonly string[]): Promise<readonly ScanOutcome[]> {
  // No proxy between a scanner and the loopback.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^https?_proxy$/i.test(name)),
  );
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...process.execArgv, fileURLToPath(new URL('./observatory/scan.ts', import.meta.url)), ...hosts],
    { env: { ...env, NODE_EXTRA_CA_CERTS: certificate.file } },
  );
  return JSON.parse(stdout) as readonly ScanOutcome[];
}

async function askEverything(host: string): Promise<Pick<Outcome, 'findings' | 'incomplete'>> {
  const incomplete: { name: string; missing: readonly string[] }[] = [];
  const findings = new Set<string>();
  for (const asked of answerClasses) {
    const answer = await ask(host, certificate, asked);
    const wrong = [
      ...(answer.status === asked.status ? [] : [`status ${answer.status}, not ${asked.status}`]),
      ...(answer.cut === (asked.cut ?? false) ? [] : ['not cut']),
    ];
    const missing = [...wrong, ...missingFrom(answer, asked)];
    if (missing.length > 0) incomplete.push({ name: asked.name, missing });
    const policy = answer.headers['content-security-policy'];
    if (policy === undefined) findings.add(`no policy (${asked.name})`);
    else for (const finding of findingsOf(String(policy))) findings.add(finding);
  }
  return { findings: [...findings], incomplete };
}

function mustHold({ name, scan, findings, incomplete }: Outcome): void {
  if (scan.score < WANTED_SCORE) problems.push(`${name} reaches ${scan.score}, not ${WANTED_SCORE}`);
  for (const { name: test, pass, result } of scan.tests)
    if (!pass) problems.push(`${name}, ${test}: ${result}`);
  for (const finding of findings) problems.push(`${name}: csp_evaluator says ${finding}`);
  for (const { name: asked, missing } of incomplete)
    problems.push(`${name} answers "${asked}" with ${missing.join('; ')}`);
}

/** Otherwise the measure measures nothing. */
function mustFallShort({ name, scan, findings, incomplete }: Outcome): void {
  if (scan.score >= WANTED_SCORE && findings.length === 0)
    problems.push(`the control "${name}" passes (${scan.score}, no findings)`);
  if (incomplete.length === 0) problems.push(`the control "${name}" passes every class of answers`);
}

async function browserReports(): Promise<readonly (readonly [string, ReportRun])[]> {
  const tried = { csp: { reportOnly: { 'img-src': ["'none'"] } } };
  const runs: [string, ReportRun][] = [];
  const majors: readonly Major[] = flags.short ? [5] : [4, 5];
  for (const major of majors) {
    const name = `Express ${major}, Reporting API`;
    const run = await reportsOf(browser, certificate, major, { ...tried, reports: '/reports' }, true);
    runs.push([name, run]);
    mustReport(name, run, 'application/reports+json');
    const old = `Express ${major}, report-uri`;
    const directives = { 'report-uri': ['/reports'] };
    const legacy = { csp: { directives, reportOnly: { 'img-src': ["'none'"], ...directives } } };
    const oldRun = await reportsOf(browser, certificate, major, legacy, true);
    runs.push([old, oldRun]);
    mustReport(old, oldRun, 'application/csp-report');
  }
  const silent = await reportsOf(browser, certificate, 5, {}, false);
  runs.push(['control: no reports asked for', silent]);
  if (silent.sent > 0) problems.push('the control without reports received some');
  const harmless = await reportsOf(browser, certificate, 5, { csp: false, reports: '/reports' }, false);
  runs.push(['control: no policy', harmless]);
  if (harmless.sent > 0 || !harmless.ran) problems.push('the control without a policy reported violations');
  return runs;
}

function mustReport(name: string, { bodies, sent, reported, ran, host }: ReportRun, type: string): void {
  const wrong = (what: string): void => void problems.push(`reports, ${name}: ${what}`);
  if (ran) wrong('the script without a nonce ran');
  if (!Object.keys(bodies).every((sentType) => sentType.startsWith(type)))
    wrong(`bodies of ${Object.keys(bodies).join(', ')}`);
  if (sent < VISITS * 3) wrong(`${sent} reports came from ${VISITS} visits`);
  const page = `https://${host}/`;
  const seen = reported
    .map(({ rule, disposition, blocked }) => `${rule} ${disposition} ${blocked}`)
    .filter((text) => !text.endsWith('/favicon.ico')) // Asked for by the browser itself, once or not at all.
    .sort();
  const wanted = [
    `img-src report ${page}pixel.svg`,
    'script-src-elem enforce inline',
    'script-src-elem report inline',
  ];
  // Equal reports of three visits are one event each; the query strings of page and image are gone.
  if (JSON.stringify(seen) !== JSON.stringify(wanted)) wrong(`events ${seen.join(', ') || 'none'}`);
  for (const event of reported) if (event.page !== page) wrong(`an event about ${event.page}`);
}

function describeReports(runs: readonly (readonly [string, ReportRun])[]): readonly string[] {
  return runs.map(
    ([name, { sent, bodies, reported, ran }]) =>
      `reports, ${name}: ${sent} reports in ${Object.values(bodies).reduce((a, b) => a + b, 0)} bodies, ${reported.length} events, script ${ran ? 'ran' : 'blocked'}`,
  );
}

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, scan, findings, incomplete }) => [
    name,
    `${scan.grade} ${scan.score}`,
    `${scan.passed}/${scan.tests.length}`,
    String(findings.length),
    `${answerClasses.length - incomplete.length}/${answerClasses.length}`,
  ]);
  const head = ['site', 'Observatory', 'tests passed', 'csp_evaluator findings', 'classes of answers whole'];
  return markdownTable(head, rows);
}

/** The page under docs/proofs. */
function document(outcomes: readonly Outcome[], reports: readonly (readonly [string, ReportRun])[]): string {
  const versions = ['@mdn/mdn-http-observatory', 'csp_evaluator', 'helmet', 'express', 'express4'].map(
    (name) => `${name === 'express4' ? 'express' : name} ${versionOf(name)}`,
  );
  const [ours] = outcomes;
  return `# What others say about the headers

\`pnpm prove:observatory --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, Chromium ${browser.version()}. ${versions.join(', ')}.

Every site serves the same pages over http and https on the loopback, with a certificate made for the run. The scan is the
Observatory's own, untouched; its list of preloaded hosts is empty, as none of these names could be in it (5 points that a published
site can still earn). The proof fails unless ours reaches ${WANTED_SCORE} with no test failed and no finding, and every class of answers has the whole
set, on both majors of Express; and unless every other site falls short.

${table(outcomes)}

The Observatory on "${ours!.name}":

| test | result | points |
| --- | --- | --- |
${ours!.scan.tests.map(({ name, result, points }) => `| ${name} | ${result} | ${points} |`).join('\n')}

csp_evaluator on the others:

${outcomes
  .filter(({ findings }) => findings.length > 0)
  .map(({ name, findings }) => `- ${name}: ${findings.length} findings, such as \`${findings[0]}\``)
  .join('\n')}

Classes of answers, each asked for: ${answerClasses.map(({ name }) => name).join('; ')}.

## Reports of a real browser

A page with a script that the enforced policy and the one on trial forbid, and an image that only the one on trial does, is visited
${VISITS} times. The endpoint must tell each of the three violations once, with its disposition, without query strings.

${describeReports(reports)
  .map((line) => `- ${line.replace('reports, ', '')}`)
  .join('\n')}
`;
}

function versionOf(name: string): string {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
