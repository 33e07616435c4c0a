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
  taints: Map<string, string> | undefined;
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

/** Remembers a secret, to be masked wherever else it shows up in the event. */
export function taint(run: Run, secret: string): void {
  run.taints ??= new Map();
  run.taints.set(secret, 'taint');
}
