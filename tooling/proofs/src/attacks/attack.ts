import type { Scene } from './scene.js';
import type { Names } from './names.js';
import type { Victim } from './victim.js';
import type { Page as AttackerPage } from './attacker.js';

export const FAMILIES = [
  'scripts',
  'markup',
  'encoding',
  'framing',
  'windows',
  'cookies',
  'changes',
  'reads',
] as const;
export type Family = (typeof FAMILIES)[number];

/** What counts as success, seen by somebody else than the attack itself. */
export type Goal =
  /** Code of the attacker ran with the victim's origin. */
  | 'script'
  /** The victim's server changed something in the name of the person. */
  | 'change'
  /** The attacker's server received the person's secret. */
  | 'secret'
  /** The attacker's server received what it should not have learnt, or shows itself where it should not. */
  | 'loot'
  /** The victim's server took the person for the attacker's account. */
  | 'fixation';

export interface Attack {
  readonly id: string;
  /** One line for the table. */
  readonly what: string;
  readonly goal: Goal;
  /** How what stops it must begin, as it is observed: a violation, an event of ours, or what the attacker's page gave up with. */
  readonly by: readonly string[];
  /** Runs in the short lane too. */
  readonly short?: boolean;
  /** The cookie of the bare service: readable, for the whole domain and for other sites, or `res.cookie(name, value)`. @default 'embedded' */
  readonly cookie?: 'embedded' | 'plain';
  /** The holes of the service, the same in both. */
  readonly serve?: (victim: Victim) => void;
  /** Pages of everybody who is not the victim, by path. */
  readonly pages?: (names: Names) => Readonly<Record<string, AttackerPage>>;
  readonly act: (scene: Scene) => Promise<unknown>;
}
