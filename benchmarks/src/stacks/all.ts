import { bare } from './bare.js';
import { portcullisStack } from './portcullis.js';
import { readmeStack, tunedStack } from './readme.js';
import type { Stack } from './stack.js';

/** In the order of the table; the first one is what the ratios refer to. */
export const stacks: readonly Stack[] = [bare, readmeStack, tunedStack, portcullisStack];
