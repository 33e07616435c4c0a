import type { Compute } from './computations.js';

/** A password in the two forms that hashes are made of. */
export interface PasswordForms {
  /** As it was typed: what older systems have hashed. */
  readonly raw: string;
  /** After Unicode NFKC (NIST SP 800-63B section 3.1.1.2): what we hash, so that every keyboard's spelling is one password. */
  readonly normal: string;
}

/** Verifies hashes that others have made, such as {@link django}. */
export interface PasswordVerifier {
  /** Short name for messages, such as `django`. */
  readonly name: string;
  /**
   * True if this hasher can and will verify the stored text: its format, with parameters within its bounds. A hash whose
   * cost is out of bounds is nobody's: it never matches, and nothing of its cost is spent.
   */
  accepts(stored: string): boolean;
  /**
   * Only called with what {@link accepts} accepted. `compute` runs what is heavy in a thread of the gate; without it, or in
   * a hasher that does not use it, the hasher computes where it likes.
   */
  verify(password: PasswordForms, stored: string, compute?: Compute): Promise<boolean>;
}

/** One way to keep passwords. The first of `passwords` makes new hashes, the others only verify old ones. */
export interface PasswordHasher extends PasswordVerifier {
  hash(password: PasswordForms, compute?: Compute): Promise<string>;
  /** True if a new hash would have the same format and parameters. */
  isCurrent(stored: string): boolean;
}

/** The name of `testHasher()`, by which `createAuth()` refuses it in production. */
export const TEST_HASHER = 'test';
