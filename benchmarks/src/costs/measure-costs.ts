import type { CostCase, CostClaim, CostGroup } from './harness.js';

export interface Length {
  readonly rounds: number;
  /** Part of the batches that is run, above 0 and up to 1. */
  readonly share: number;
  /** What a claim is multiplied by, for what a short run on a noisy machine can tell. */
  readonly margin: number;
}

export interface CaseResult {
  readonly name: string;
  /** CPU microseconds of one call, round by round. */
  readonly micros: readonly number[];
  /** The same over the first case, in the same round. */
  readonly ratios: readonly number[];
}

export interface ClaimResult extends CostClaim {
  readonly median: number;
  readonly held: boolean;
}

export interface GroupResult {
  readonly title: string;
  readonly note?: string | undefined;
  readonly peers: readonly string[];
  readonly cases: readonly CaseResult[];
  readonly claims: readonly ClaimResult[];
}

const WARM_UP_ROUNDS = 2;

/** All cases in turns, round after round, so that a noisy machine hits all of them alike. */
export async function measureGroup(group: CostGroup, length: Length): Promise<GroupResult> {
  const { cases, batch = 200, batches = 50 } = group;
  const share = Math.max(1, Math.round(batches * length.share));
  const micros = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  if (micros.size !== cases.length) throw new Error(`${group.title}: two cases have one name.`);
  for (let round = -WARM_UP_ROUNDS; round < length.rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      // Nobody is always the one after the collector, or after the slowest.
      const one = cases[(i + round + WARM_UP_ROUNDS) % cases.length]!;
      // Warmed up whole in a short run too: what the engine has not yet compiled costs several times as much.
      const value = await cost(one, batch, round < 0 ? batches : share);
      if (round >= 0) micros.get(one.name)!.push(value);
    }
  }
  const base = micros.get(cases[0]!.name)!;
  const of = (name: string): readonly number[] => {
    const values = micros.get(name);
    if (!values) throw new Error(`${group.title}: a claim names "${name}", which is no case.`);
    return values;
  };
  return {
    title: group.title,
    note: group.note,
    peers: group.peers ?? [],
    cases: cases.map(({ name }) => ({ name, micros: of(name), ratios: ratios(of(name), base) })),
    claims: (group.claims ?? []).map((claim) => {
      const middle = median(ratios(of(claim.ours), of(claim.peer)));
      return { ...claim, median: middle, held: middle <= claim.atMost * length.margin };
    }),
  };
}

async function cost(one: CostCase, batch: number, batches: number): Promise<number> {
  let total = 0;
  globalThis.gc?.();
  await untilIdle();
  for (let i = 0; i < batches; i++) {
    const inputs = Array.from({ length: batch }, () => one.prepare?.());
    const start = process.cpuUsage();
    const waited = callUntilPromise(one, inputs);
    await waited.promise;
    for (let next = waited.calls; next < inputs.length; next++) {
      const result = one.call(inputs[next]);
      if (result instanceof Promise) await result;
    }
    const { user, system } = process.cpuUsage(start);
    total += user + system;
  }
  return total / batches / batch;
}

/** The collector's threads go on sweeping; what they take, many milliseconds where there is much, is nobody's cost. */
async function untilIdle(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const start = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { user, system } = process.cpuUsage(start);
    if (user + system < 500) return;
  }
}

/**
 * Calls that return no promise are made in a plain loop, which the engine compiles: in one that may await, the loop itself costs
 * several times a short call.
 */
function callUntilPromise(
  one: CostCase,
  inputs: readonly unknown[],
): { readonly calls: number; readonly promise?: Promise<unknown> } {
  for (let i = 0; i < inputs.length; i++) {
    const result = one.call(inputs[i]);
    if (result instanceof Promise) return { calls: i + 1, promise: result };
  }
  return { calls: inputs.length };
}

function ratios(values: readonly number[], base: readonly number[]): readonly number[] {
  return values.map((value, i) => value / base[i]!);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
