import { bare } from './bare.js';
import { fastify } from './fastify.js';
import { oursOn4, oursOn5 } from './ours.js';
import { readme } from './readme.js';
import type { Stack } from './stack.js';

/** Those that a check must fail on somewhere. */
export const baselines: readonly Stack[] = [bare, readme, fastify];
/** Those that must pass every check; mutants are made of the first. */
export const own: readonly Stack[] = [oursOn5, oursOn4];
export const stacks: readonly Stack[] = [...baselines, ...own];
