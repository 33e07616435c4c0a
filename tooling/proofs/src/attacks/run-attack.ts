import type { Browser } from 'playwright-core';
import type { Attack } from './attack.js';
import type { Front } from './front.js';
import { Scene, type Stack } from './scene.js';

export interface Outcome {
  readonly attack: Attack;
  readonly stack: Stack;
  /** What shows that it succeeded. */
  readonly evidence: string | undefined;
  /** What stopped it. */
  readonly stoppedBy: string | undefined;
  /** Everything that was observed, for a person who looks into it. */
  readonly seen: readonly string[];
  /** Whatever comes after the end counts too. */
  readonly late: () => string | undefined;
}

const evidences: Record<Attack['goal'], (scene: Scene) => string | undefined> = {
  script: ({ ran, names }) => (ran.includes(names.victim) ? `code ran in ${names.victim}` : undefined),
  change: ({ state }) => state.changes[0],
  secret: ({ loot, state }) => (loot.some((text) => text.includes(state.secret)) ? 'the secret' : undefined),
  loot: ({ loot }) => loot[0],
  fixation: ({ state }) => (state.shown.includes('mallory') ? 'signed in as mallory' : undefined),
};

export async function runAttack(
  browser: Browser,
  front: Front,
  attack: Attack,
  stack: Stack,
  run: number,
): Promise<Outcome> {
  const scene = new Scene(front, stack, run, attack);
  const evidence = (): string | undefined => evidences[attack.goal](scene);
  const stoppedBy = (): string | undefined => {
    for (const start of attack.by) {
      const signal = scene.signals.find((text) => text.startsWith(start));
      if (signal !== undefined) return signal.slice(0, 120);
    }
    return undefined;
  };
  // The bare service is given the time that the attack needs; ours may end earlier, when something stops it.
  scene.over = () => evidence() !== undefined || (stack.own && stoppedBy() !== undefined);
  let trouble: string | undefined;
  try {
    await scene.start(browser);
    await attack.act(scene);
    await scene.until(scene.over);
    await scene.settle();
  } catch (error) {
    trouble = `trouble: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await scene.stop();
  }
  return {
    attack,
    stack,
    evidence: evidence(),
    stoppedBy: trouble === undefined ? stoppedBy() : undefined,
    seen: [...(trouble === undefined ? [] : [trouble]), ...scene.signals, ...scene.loot, ...scene.ran],
    late: evidence,
  };
}
