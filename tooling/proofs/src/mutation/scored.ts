/** A source file, and the tests that answer for it. */
export interface Scored {
  readonly file: string;
  /** The closest to the file first. */
  readonly tests: readonly string[];
  /** Slips that change nothing anybody could see, by the text that tells them (with the function's name where that takes it), with the reason. */
  readonly equivalent?: readonly (readonly [what: string, reason: string])[];
}
