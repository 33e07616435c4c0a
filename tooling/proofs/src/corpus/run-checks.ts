import { Client, type Check, type Serving } from './check.js';

export interface Outcome {
  readonly check: Check;
  readonly passed: boolean;
  /** Why not, in short. */
  readonly why: string;
}

/** How many checks of one stack are on their way at a time; most of their time is waiting. */
const AT_ONCE = 12;

/** Runs checks against one served stack. Slow ones first, so that they wait beside the others. */
export async function runChecks(checks: readonly Check[], serving: Serving): Promise<Outcome[]> {
  const waiting = [...checks];
  const outcomes: Outcome[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift())
      outcomes.push(await runCheck(next, serving));
  };
  const slow = waiting.filter(({ group }) => group === 'slow clients');
  waiting.splice(0, waiting.length, ...waiting.filter((check) => !slow.includes(check)));
  await Promise.all([
    ...slow.map(async (check) => outcomes.push(await runCheck(check, serving))),
    ...Array.from({ length: AT_ONCE }, worker),
  ]);
  return checks.map((check) => outcomes.find((outcome) => outcome.check === check)!);
}

async function runCheck(check: Check, serving: Serving): Promise<Outcome> {
  try {
    const passed = await check.run(new Client(serving, check.id));
    return { check, passed, why: passed ? '' : 'is not so' };
  } catch (error) {
    return { check, passed: false, why: String(error instanceof Error ? error.message : error) };
  }
}
