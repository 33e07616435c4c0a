import type { Answer, Exchange } from '../corpus/wire.js';

/** What stands in traces of Node.js and nowhere else. */
const TRACE = /\n\s+at .+:\d+:\d+|node_modules|file:\/\/|node:internal|\bat .+ \(.+:\d+:\d+\)/;

/** What is wrong with what came back, or undefined. A connection that is closed without an answer is an answer. */
export function fault({ answers, raw, closed }: Exchange, must: 'refuse' | 'answer'): string | undefined {
  if (TRACE.test(raw)) return 'shows a trace';
  for (const answer of answers) {
    if (answer.status >= 500) return `answers ${answer.status}`;
    if (answer.status >= 400 && !isTyped(answer)) return `answers ${answer.status} without saying what kind`;
    // Interim answers ask for more.
    if (must === 'refuse' && answer.status >= 200 && answer.status < 400)
      return `takes it (${answer.status})`;
  }
  if (answers.length === 0 && !closed) return 'neither answers nor closes';
  return undefined;
}

/** A problem document with a code, or a page for people with the same. */
function isTyped(answer: Answer): boolean {
  const type = answer.header('content-type');
  if (type.startsWith('application/problem+json')) {
    if (!answer.complete) return true;
    const { code, type: urn, status } = answer.json() as Record<string, unknown>;
    return (
      typeof code === 'string' && code.startsWith('E_') && typeof urn === 'string' && status === answer.status
    );
  }
  // People get a page; an answer to HEAD has no body.
  return type.startsWith('text/html') || (answer.status === 405 && answer.body === '');
}
