import type { ServerResponse } from 'node:http';

/**
 * What was given to `writeHead()`: fields there win over those set before, so a step that has to have the last word edits both,
 * with {@link editFields}.
 */
export type HeadArguments = unknown[];

type Step = (res: ServerResponse, args: HeadArguments) => void;

const STEPS = Symbol('portcullis.headers.before-head');

interface Stepped extends ServerResponse {
  [STEPS]?: { readonly steps: Step[]; readonly writeHead: (...args: unknown[]) => ServerResponse };
}

/**
 * Runs `step` when the head of the response is about to be written, by whatever code and in whatever way; steps run in the order in
 * which they were handed in. One that throws stops the writing, and runs again when the head is written after all.
 */
export function beforeHead(res: ServerResponse, step: Step): void {
  const stepped = res as Stepped;
  const present = stepped[STEPS];
  if (present) {
    present.steps.push(step);
    return;
  }
  stepped[STEPS] = { steps: [step], writeHead: res.writeHead as (...args: unknown[]) => ServerResponse };
  res.writeHead = writeHeadAfterSteps;
}

// One function for all responses: this is on the way of every answer.
function writeHeadAfterSteps(this: Stepped, ...args: unknown[]): ServerResponse {
  const { steps, writeHead } = this[STEPS]!;
  if (!this.headersSent) {
    const status = this.statusCode;
    // Steps ask for the status that goes out.
    if (typeof args[0] === 'number') this.statusCode = args[0];
    try {
      for (let i = 0; i < steps.length; i++) steps[i]!(this, args);
    } catch (error) {
      this.statusCode = status;
      throw error;
    }
  }
  return args.length === 1 ? writeHead.call(this, args[0]) : writeHead.apply(this, args);
}

/**
 * Passes every field given to `writeHead()` itself through `edit`; `undefined` takes it out. Node takes three forms: a record, names
 * and values in turn, or a list of pairs.
 */
export function editFields(args: HeadArguments, edit: (name: string, value: unknown) => unknown): void {
  const at = args.length - 1;
  const given: unknown = args[at];
  if (at < 1 || typeof given !== 'object' || given === null) return;
  if (!Array.isArray(given)) {
    const kept: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(given)) {
      const left = edit(name, value);
      if (left !== undefined) kept[name] = left;
    }
    args[at] = kept;
    return;
  }
  const list = given as readonly unknown[];
  const paired = Array.isArray(list[0]);
  const pairs = paired
    ? (list as readonly (readonly [string, unknown])[])
    : list.flatMap((name, i) => (i % 2 === 0 ? [[name as string, list[i + 1]] as const] : []));
  const kept = pairs
    .map(([name, value]) => [name, edit(name, value)] as const)
    .filter(([, value]) => value !== undefined);
  args[at] = paired ? kept : kept.flat(1);
}
