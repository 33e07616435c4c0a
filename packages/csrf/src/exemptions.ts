import { OptionError, type SecurityRequest } from '@portcullis/core';

interface Exemption {
  readonly method: string | undefined;
  /** `undefined` stands for one segment of any text. */
  readonly segments: readonly (string | undefined)[];
  /** Everything below matches too. */
  readonly open: boolean;
}

const FORM = /^(?:([A-Z]+) )?(\/[A-Za-z0-9._~!$&'()+,=@:/-]*\*?)$/;

/**
 * Paths that are not checked. The comparison errs on the side of checking: no decoding, no case folding, no joining of
 * slashes, so that a path which a router or proxy might read in two ways is never exempt (Go's CVE-2025-47910).
 */
export function compileExemptions(
  owner: string,
  texts: readonly string[],
): (req: SecurityRequest) => boolean {
  const exemptions = texts.map((text, i) => parse(owner, `exempt[${i}]`, text));
  if (exemptions.length === 0) return () => false;
  return (req) => {
    const path = (req.originalUrl ?? req.url ?? '').split('?', 1)[0]!;
    if (!path.startsWith('/') || /[%\\;]|\/\/|\/\.{1,2}(?:\/|$)/.test(path)) return false;
    const segments = path.slice(1).split('/');
    return exemptions.some((exemption) => matches(exemption, req.method, segments));
  };
}

function matches(exemption: Exemption, method: string | undefined, segments: readonly string[]): boolean {
  const { segments: wanted, open } = exemption;
  if (exemption.method !== undefined && exemption.method !== method) return false;
  // What is below has a name: Express takes "/hooks/" for "/hooks", which is not below.
  if (open ? !segments[wanted.length] : segments.length !== wanted.length) return false;
  return wanted.every((want, i) => (want === undefined ? segments[i] !== '' : segments[i] === want));
}

function parse(owner: string, path: string, text: string): Exemption {
  const match = FORM.exec(text);
  if (!match) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} must be a path such as "/hooks/stripe", "POST /hooks/:name" or "/hooks/*"`,
    );
  }
  const [, method, pattern = ''] = match;
  const open = pattern.endsWith('/*');
  const segments = (open ? pattern.slice(1, -2) : pattern.slice(1)).split('/');
  const wild = segments.some((segment) => segment.includes('*'));
  const odd = segments.some(
    (segment, i) => segment === '.' || segment === '..' || (segment === '' && i < segments.length - 1),
  );
  if (wild || odd) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path}: "*" may only stand at the end, after a slash`,
    );
  }
  if (open && segments.every((segment) => segment === '' || segment.startsWith(':'))) {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} would exempt every path`);
  }
  return {
    method,
    open,
    segments: segments.map((segment) =>
      segment.startsWith(':') && segment.length > 1 ? undefined : segment,
    ),
  };
}
