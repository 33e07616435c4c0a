// pnpm prove:tokens [--short] [--write] [--seed <number>]: forged tokens and Authorization headers. Nothing forged is accepted, every
// refusal is a typed 401, and what we accept jsonwebtoken accepts too. Each of a row of verifiers with one planted weakness must be
// found by the same forgeries, or they prove nothing.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { isSecurityError } from '@portcullis/core';
import jsonwebtoken from 'jsonwebtoken';
import { fuzzAuthorization } from './tokens/authorization.js';
import { chanceOf } from './tokens/chance.js';
import { forgeries, goodClaims, headerOf, signed } from './tokens/forge.js';
import { audience, issuer, kindOf, NOW, type Alg, type Kind } from './tokens/kinds.js';
import { weaknesses, weakVerifier } from './tokens/weak.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, seed: { type: 'string' } },
});
const seed = Number(flags.seed ?? 20_261_125);
const FORGED = flags.short ? 40_000 : 1_000_000;
const HONEST = flags.short ? 2_000 : 20_000;
const HEADERS = flags.short ? 5_000 : 100_000;
/** Control verifiers look at every forgery until they fall, at most at so many. */
const CONTROLLED = 40_000;

const chance = chanceOf(seed);
const kinds = (['HS256', 'RS256', 'ES256', 'EdDSA'] as const).map(kindOf);
/** Public-key signatures cost ten times what the rest costs: most forgeries are made for HMAC. */
const often: readonly Kind[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 3, 3].map((i) => kinds[i]!);
const started = performance.now();
const problems: string[] = [];
const refusals = new Map<string, number>();
/** What jsonwebtoken takes and we do not, by our reason. */
const onlyTheirs = new Map<string, number>();
/** Reasons for which we are stricter; that we refuse a signature that they take would be a mistake of one of us. */
const STRICTER = new Set([
  'encoding',
  'too-long',
  'header',
  'header-parameter',
  'unknown-key',
  'typ',
  'claim-iss',
  'claim-aud',
  'claim-sub',
  'claim-sid',
  'claim-jti',
  'claim-cnf',
  'claim-exp',
  'claim-iat',
]);

const weak = kinds.flatMap((kind) =>
  [undefined, ...weaknesses].map((weakness) => ({ kind, weakness, accepts: weakVerifier(kind, weakness) })),
);
const found = new Map<string, string>();
const goods = new Map<Alg, string>();

for (let i = 0; i < HONEST; i++) honest(kinds[i % kinds.length]!);
let made = 0;
while (made < FORGED) forged(chance.of(often));
const headers = await fuzzAuthorization(HEADERS, chance);
problems.push(...headers.problems.slice(0, 20));
for (const weakness of weaknesses)
  if (!found.has(weakness))
    problems.push(`the control that ${weakness} was not found: the forgeries prove nothing`);

const seconds = Math.round((performance.now() - started) / 1000);
const text = report();
console.log(text);
if (flags.write) write();
for (const problem of problems.slice(0, 20)) console.error(`PROBLEM: ${problem.slice(0, 400)}`);
if (problems.length > 20) console.error(`and ${problems.length - 20} more problems`);
process.exit(problems.length > 0 ? 1 : 0);

function honest(kind: Kind): void {
  const token = signed(kind, headerOf(kind), goodClaims(chance));
  goods.set(kind.alg, token);
  const verdict = judge(kind, token);
  if (verdict !== 'accepted') problems.push(`an honest ${kind.alg} token is refused: ${verdict}`);
  else if (theyAccept(kind, token) === false)
    problems.push(`we accept what jsonwebtoken refuses (${kind.alg}): ${token}`);
  for (const one of weak)
    if (one.kind === kind && !one.accepts(token))
      problems.push(`the control that ${one.weakness ?? 'has no weakness'} refuses an honest token`);
}

function forged(kind: Kind): void {
  const forgery = chance.of(forgeries);
  const good = goods.get(kind.alg)!;
  const token = forgery.make(kind, good, chance);
  if (token === undefined && forgery.family !== 'noise') return;
  if (token === good) return;
  made++;
  const verdict = judge(kind, token);
  if (verdict === 'accepted') {
    problems.push(`accepted (${kind.alg}, ${forgery.family}): ${String(token)}`);
    return;
  }
  refusals.set(verdict, (refusals.get(verdict) ?? 0) + 1);
  if (theyAccept(kind, token)) {
    onlyTheirs.set(verdict, (onlyTheirs.get(verdict) ?? 0) + 1);
    if (!STRICTER.has(verdict))
      problems.push(`jsonwebtoken accepts what we refuse for ${verdict}: ${String(token)}`);
  }
  if (made > CONTROLLED) return;
  for (const { kind: own, weakness, accepts } of weak) {
    if (own !== kind || (weakness !== undefined && found.has(weakness)) || !accepts(token)) continue;
    if (weakness === undefined)
      problems.push(`the control without weakness accepts (${forgery.family}): ${String(token)}`);
    else found.set(weakness, `${kind.alg}, ${forgery.family}`);
  }
}

/** "accepted", or the reason; anything but a typed refusal is a problem. */
function judge({ tokens }: Kind, token: unknown): string {
  try {
    tokens.verify(token);
    return 'accepted';
  } catch (error) {
    const typed =
      isSecurityError(error) &&
      error.status === 401 &&
      (error.code === 'E_TOKEN_INVALID' || error.code === 'E_TOKEN_EXPIRED');
    if (!typed) {
      problems.push(`no typed refusal: ${String(error)}`);
      return 'untyped';
    }
    return error.code === 'E_TOKEN_EXPIRED' ? 'expired' : (error.details as { fault: string }).fault;
  }
}

/** jsonwebtoken, used as well as it can be: a KeyObject, one algorithm, issuer and audience. It has no opinion on EdDSA. */
function theyAccept({ alg, verifyWith }: Kind, token: unknown): boolean | undefined {
  if (alg === 'EdDSA') return undefined;
  try {
    jsonwebtoken.verify(token as string, verifyWith, {
      algorithms: [alg],
      issuer,
      audience,
      clockTimestamp: NOW,
    });
    return true;
  } catch {
    return false;
  }
}

function report(): string {
  const rows = (counts: Map<string, number>) =>
    [...counts]
      .toSorted((a, b) => b[1] - a[1])
      .map(([reason, count]) => `| ${reason} | ${count.toLocaleString('en')} |`)
      .join('\n');
  const statuses = Object.entries(headers.byStatus)
    .map(([status, count]) => `${status}: ${count.toLocaleString('en')}`)
    .join(', ');
  return `${HONEST.toLocaleString('en')} honest tokens (HS256, RS256, ES256, EdDSA): all accepted, by jsonwebtoken too where it knows the algorithm.
${[...refusals.values()].reduce((sum, one) => sum + one, 0).toLocaleString('en')} forged ones of ${forgeries.length} families: ${problems.length === 0 ? 'none accepted, every refusal typed, 401' : 'SEE PROBLEMS'}. Seed ${seed}.
${headers.tried.toLocaleString('en')} Authorization headers on Express 5 and 4, answers by status: ${statuses}; the 200s are anonymous or the very token in another spelling of the scheme.

| refused because of | tokens |
| --- | --- |
${rows(refusals)}

What jsonwebtoken (a KeyObject, one algorithm, issuer and audience) accepts of those that are not EdDSA, by our reason to refuse:

| we refuse because of | jsonwebtoken accepts |
| --- | --- |
${rows(onlyTheirs)}

Controls, each a verifier with one weakness, and the forgery that found it first; the same verifier without any accepts none of
the first ${CONTROLLED.toLocaleString('en')}:

| weakness | found by |
| --- | --- |
${weaknesses.map((one) => `| ${one} | ${found.get(one) ?? 'NOT FOUND'} |`).join('\n')}

Not among the forgeries: (r, n - s) of an ECDSA signature (r, s). It is a valid signature of the same content under RFC 7518 section 3.4, and
jsonwebtoken and everybody else accepts it: an ECDSA token has two texts. Revocation here goes by session, never by text.`;
}

function write(): void {
  const { version } = createRequire(import.meta.url)('jsonwebtoken/package.json') as { version: string };
  const folder = new URL('../../../docs/proofs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const head = `# Forged tokens

\`pnpm prove:tokens --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, jsonwebtoken ${version}, ${seconds} s.`;
  writeFileSync(new URL('tokens.md', folder), `${head}\n\n${text}\n`);
}
