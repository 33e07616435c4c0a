/** Where something was masked or cut, and why. */
export interface Finding {
  /** Such as `body.users[0].password`. */
  readonly path: string;
  /** `key:<word>`, `pair:<word>`, `jwt`, `url`, `card`, and so on, `taint`, `known` or `limit:<which>`. */
  readonly rule: string;
}

/** The state of one call. */
export interface Run {
  /** Tells calls of one redactor apart, for what is noted once in each. From 1. */
  readonly id: number;
  nodes: number;
  found: number;
  /** How many JSON texts deep we are. */
  json: number;
  readonly ancestors: object[];
  /** Secrets seen in this event, to be masked elsewhere too. */
  readonly taints: string[];
  /** The texts and names of the copy, in which one of them may occur again. */
  readonly texts: string[];
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

export function startRun(id: number, findings: Finding[] | undefined): Run {
  return { id, nodes: 0, found: 0, json: 0, ancestors: [], taints: [], texts: [], findings, path: [] };
}

/** Remembers a secret, to be masked wherever else it shows up in the event. */
export function taint(run: Run, secret: string): void {
  run.taints.push(secret);
}

/** Texts shorter than this cannot hold a secret of which we know. */
const SHORTEST_TEXT = 4;

/** Remembers a text of the copy, to be searched once all secrets of the event are known. */
export function see(run: Run, text: string): void {
  if (text.length >= SHORTEST_TEXT) run.texts.push(text);
}
