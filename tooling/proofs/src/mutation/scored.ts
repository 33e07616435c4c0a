/** A source file, and the tests that answer for it. */
export interface Scored {
  readonly file: string;
  readonly tests: readonly string[];
  /** Slips that change nothing anybody could see, by the text that tells them, with the reason. */
  readonly equivalent?: readonly (readonly [what: string, reason: string])[];
}
