import type { ProgramRule } from './text/programs.js';

/** Where something was masked or cut, and why. */
export interface Finding {
  /** Such as `body.users[0].password`. */
  readonly path: string;
  /** `key:<word>`, `pair:<word>`, `jwt`, `url`, `card`, and so on, `taint`, `known` or `limit:<which>`. */
  readonly rule: string;
}

/** The state of one call. */
export interface Run {
  nodes: number;
  found: number;
  /** How many JSON texts deep we are. */
  json: number;
  readonly ancestors: object[];
  /** Secrets seen in this event, to be masked elsewhere too. */
  readonly taints: string[];
  /** The program whose arguments come next. */
  program: ProgramRule | undefined;
  /** A text or a name of the copy has characters that {@link escapeControls} escapes and JSON does not. */
  unsafe: boolean;
  readonly findings: Finding[] | undefined;
  readonly path: string[];
}

export function report(run: Run, rule: string): void {
  run.found++;
  if (run.findings) run.findings.push({ path: pathOf(run.path), rule });
}

function pathOf(parts: readonly string[]): string {
  return parts.reduce((path, part) => {
    if (/^\d+$/.test(part)) return `${path}[${part}]`;
    return path === '' ? part : `${path}.${part}`;
  }, '');
}

export function startRun(findings: Finding[] | undefined): Run {
  return {
    nodes: 0,
    found: 0,
    json: 0,
    ancestors: [],
    taints: [],
    program: undefined,
    unsafe: false,
    findings,
    path: [],
  };
}

/** Remembers a secret, to be masked wherever else it shows up in the event. */
export function taint(run: Run, secret: string): void {
  run.taints.push(secret);
}
