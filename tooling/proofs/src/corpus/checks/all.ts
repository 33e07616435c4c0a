import type { Check } from '../check.js';
import { bodies } from './bodies.js';
import { caching } from './caching.js';
import { cookies } from './cookies.js';
import { cors } from './cors.js';
import { csrf } from './csrf.js';
import { errors } from './errors.js';
import { headers } from './headers.js';
import { hosts } from './hosts.js';
import { input } from './input.js';
import { limits } from './limits.js';
import { malformed } from './malformed.js';
import { redirects } from './redirects.js';
import { slow } from './slow.js';

export const checks: readonly Check[] = [
  headers,
  cors,
  csrf,
  limits,
  bodies,
  input,
  errors,
  hosts,
  malformed,
  slow,
  cookies,
  redirects,
  caching,
].flat();
