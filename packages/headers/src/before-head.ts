import type { ServerResponse } from 'node:http';

/**
 * What `writeHead()` was called with. Header fields given there win over those set before, so a step that has to have the last
 * word edits both.
 */
export interface HeadCall {
  readonly res: ServerResponse;
  /** Passes every field given to `writeHead()` itself through `edit`; `undefined` takes it out. */
  editFields(edit: FieldEdit): void;
}

type FieldEdit = (name: string, value: unknown) => unknown;
type Step = (head: HeadCall) => void;

const STEPS = Symbol('portcullis.headers.before-head');

interface Stepped {
  [STEPS]?: Step[];
}

/**
 * Runs `step` when the head of the response is about to be written, by whatever code and in whatever way; steps run in the order in
 * which they were handed in. One that throws stops the writing, and runs again when the head is written after all.
 */
export function beforeHead(res: ServerResponse, step: Step): void {
  const stepped = res as ServerResponse & Stepped;
  const present = stepped[STEPS];
  if (present) {
    present.push(step);
    return;
  }
  const steps = (stepped[STEPS] = [step]);
  const writeHead = res.writeHead as (...args: unknown[]) => ServerResponse;
  res.writeHead = function beforeHeadSteps(...args: unknown[]): ServerResponse {
    if (!res.headersSent) {
      const status = res.statusCode;
      // Steps ask for the status that goes out.
      if (typeof args[0] === 'number') res.statusCode = args[0];
      try {
        const head = { res, editFields: (edit: FieldEdit) => editFields(args, edit) };
        for (let i = 0; i < steps.length; i++) steps[i]!(head);
      } catch (error) {
        res.statusCode = status;
        throw error;
      }
    }
    return writeHead.apply(res, args);
  };
}

/** The three forms that Node takes: a record, names and values in turn, or a list of pairs. */
function editFields(args: unknown[], edit: FieldEdit): void {
  const at = args.length - 1;
  const given: unknown = args[at];
  if (at < 1 || typeof given !== 'object' || given === null) return;
  if (!Array.isArray(given)) {
    const kept: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(given)) keep(kept, name, edit(name, value));
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

function keep(record: Record<string, unknown>, name: string, value: unknown): void {
  if (value !== undefined) record[name] = value;
}
