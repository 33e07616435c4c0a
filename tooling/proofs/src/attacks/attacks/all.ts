import type { Attack, Family } from '../attack.js';
import { changes } from './changes.js';
import { cookies } from './cookies.js';
import { encoding } from './encoding.js';
import { framing } from './framing.js';
import { markup } from './markup.js';
import { reads } from './reads.js';
import { scripts } from './scripts.js';
import { windows } from './windows.js';

export const families: Readonly<Record<Family, readonly Attack[]>> = {
  scripts,
  markup,
  encoding,
  framing,
  windows,
  cookies,
  changes,
  reads,
};
export const attacks: readonly Attack[] = Object.values(families).flat();
