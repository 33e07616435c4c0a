import type { Attack, Family } from '../attack.js';
import { changes } from './changes.js';
import { framing } from './framing.js';
import { scripts } from './scripts.js';

export const families: Readonly<Record<Family, readonly Attack[]>> = {
  scripts,
  markup: [],
  encoding: [],
  framing,
  windows: [],
  cookies: [],
  changes,
  reads: [],
};
export const attacks: readonly Attack[] = Object.values(families).flat();
