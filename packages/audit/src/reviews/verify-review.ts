import type { AuditEntry } from '../entry.js';
import { leafHash } from '../leaf.js';
import { verifyDisclosure, type ProvedEntry } from '../prove.js';
import { COMPLETED, SIGNED, TARGET, type ReviewCompleted, type ReviewSigned } from './review-records.js';

export interface ReviewReport {
  /** In words; empty if the evidence is in order. */
  readonly problems: readonly string[];
  readonly policy?: string;
  /** What was recorded before is reviewed. */
  readonly through?: string;
  /** Who ended the round. */
  readonly completedBy?: string;
  readonly reviewers: readonly string[];
  readonly reviewed: number;
  readonly findings: number;
}

/**
 * What the lines of `audit.reviews.evidence()` show to who knows the log's verifier key: that all of them are in the log, that every entry of the
 * round was signed off as it stands there, by a person who did not cause it, and that none of the sign-offs is missing. Which entries the
 * policy would have matched is for who has the whole export.
 * @throws TypeError for a verifier key that is none
 */
export async function verifyReview(
  lines: Iterable<string> | AsyncIterable<string>,
  verifierKey: string,
): Promise<ReviewReport> {
  const problems: string[] = [];
  const entries = new Map<string, { readonly entry: AuditEntry; readonly leaf: string }>();
  for await (const line of lines) {
    const shown = verifyDisclosure(line, verifierKey);
    if (!shown.proved) problems.push(shown.problem);
    else entries.set(shown.entry.id, { entry: shown.entry, leaf: leafOf(line) });
  }
  const all = [...entries.values()].map(({ entry }) => entry).filter(({ kind }) => kind === 'action');
  const [round, ...others] = all.filter(
    ({ action, target }) => action === COMPLETED && target?.type === TARGET,
  );
  if (!round || others.length > 0) {
    return {
      problems: [...problems, 'this is not the evidence of one round'],
      reviewers: [],
      reviewed: 0,
      findings: 0,
    };
  }
  const policy = round.target!.id!;
  const signOffs = all.filter(
    ({ action, target }) => action === SIGNED && target?.type === TARGET && target.id === policy,
  );
  const reviewed = new Set<string>();
  for (const signOff of signOffs) {
    const { id, actor, data } = signOff;
    if (actor.kind !== 'user') problems.push(`sign-off ${id} is not by a person`);
    for (const { id: about, leaf } of (data as ReviewSigned).entries) {
      reviewed.add(about);
      const found = entries.get(about);
      if (!found) problems.push(`entry ${about} is not shown`);
      else if (found.leaf !== leaf) problems.push(`entry ${about} is not what was signed off`);
      else if (actorsOf(found.entry).some((one) => actorsOf(signOff).includes(one))) {
        problems.push(`entry ${about} was signed off by who caused it`);
      }
    }
  }
  const data = round.data as ReviewCompleted;
  const named = signOffs.reduce((sum, { data: signed }) => sum + (signed as ReviewSigned).entries.length, 0);
  const findings = signOffs.filter(({ data: signed }) => (signed as ReviewSigned).finding).length;
  if (named !== data.reviewed || findings !== data.findings)
    problems.push('sign-offs are missing, or too many');
  return {
    problems,
    policy,
    through: data.through,
    ...(round.actor.id === undefined ? {} : { completedBy: round.actor.id }),
    reviewers: [...new Set(signOffs.flatMap(({ actor }) => actor.id ?? []))],
    reviewed: reviewed.size,
    findings,
  };
}

function actorsOf({ actor }: AuditEntry): string[] {
  return [actor.id, actor.by].filter((one) => one !== undefined);
}

function leafOf(line: string): string {
  return leafHash((JSON.parse(line) as ProvedEntry).body).toString('base64');
}
