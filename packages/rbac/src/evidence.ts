import { canonical, sha256 } from './canonical.js';

const START = '0'.repeat(64);

/** Facts as lines of JSON, each with the hash of the one before and its own: the same facts are the same bytes. */
export function linked(facts: readonly object[]): { readonly text: string; readonly hash: string } {
  let previous = START;
  const lines = facts.map((fact, number) => {
    const body = { ...fact, line: number + 1, previous };
    previous = sha256(canonical(body));
    return canonical({ ...body, hash: previous });
  });
  return { text: lines.map((line) => `${line}\n`).join(''), hash: previous };
}

/**
 * Is an evidence pack whole, in order and as it was written? The last hash, kept elsewhere (an audit log, a ticket), shows besides
 * that it is not another one.
 */
export function verifyEvidence(text: string, expected?: string): boolean {
  let previous = START;
  const lines = typeof text === 'string' ? text.split('\n') : [];
  if (lines.pop() !== '' || lines.length === 0) return false;
  for (const [number, line] of lines.entries()) {
    let fact: Record<string, unknown>;
    try {
      fact = JSON.parse(line) as Record<string, unknown>;
    } catch {
      return false;
    }
    const { hash, ...body } = fact;
    const whole = body['line'] === number + 1 && body['previous'] === previous;
    if (!whole || hash !== sha256(canonical(body)) || canonical(fact) !== line) return false;
    previous = hash;
  }
  return expected === undefined || expected === previous;
}
