import type { Check } from '../check.js';
import { cors } from './cors.js';
import { csrf } from './csrf.js';
import { headers } from './headers.js';

export const checks: readonly Check[] = [headers, cors, csrf].flat();
