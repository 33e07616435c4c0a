import { fieldErrors } from './field-errors.js';
import type { ProblemOccurrence } from './render.js';

/**
 * A whole page without script, style or image, so that the strictest Content-Security-Policy has nothing to block.
 * Every value is escaped, although none should need it.
 */
export function errorPage(problem: ProblemOccurrence): string {
  const title = `${problem.status} ${escapeHtml(problem.title)}`;
  const detail = problem.detail === undefined ? '' : `<p>${escapeHtml(problem.detail)}</p>\n`;
  const entries = fieldErrors(problem).map(
    (error) => `<li><code>${escapeHtml(error.pointer)}</code> ${escapeHtml(error.detail)}</li>\n`,
  );
  const list = entries.length === 0 ? '' : `<ul>\n${entries.join('')}</ul>\n`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
</head>
<body>
<main>
<h1>${title}</h1>
${detail}${list}<p>Request <code>${escapeHtml(problem.requestId)}</code></p>
</main>
</body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(value: string): string {
  return value.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
}
