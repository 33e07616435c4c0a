import type { Check } from '../check.js';
import { bodies } from './bodies.js';
import { cors } from './cors.js';
import { csrf } from './csrf.js';
import { errors } from './errors.js';
import { headers } from './headers.js';
import { input } from './input.js';
import { limits } from './limits.js';

export const checks: readonly Check[] = [headers, cors, csrf, limits, bodies, input, errors].flat();
