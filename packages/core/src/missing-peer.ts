import { isError } from './is-error.js';
import { OptionError } from './option-error.js';

/**
 * For loaders of optional peers: makes what to throw of what `require()` threw. A package that is not there becomes an
 * `OptionError` which says how to install it; one that is there and fails keeps its own error.
 * `wanted` is the package as `npm install` takes it, `sanitize-html@^2.17.5`.
 */
export function missingPeer(owner: string, wanted: string): (cause: unknown) => unknown {
  return (cause) => {
    if (!isError(cause) || (cause as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') return cause;
    const name = wanted.slice(0, wanted.lastIndexOf('@'));
    const problem = `it needs ${name}, which is not there to be loaded. Install it: npm install ${wanted}`;
    return new OptionError('E_PEER_MISSING', owner, '', problem, { cause });
  };
}
