/** A defect that the tests of a package have to notice: one place of its source, changed. */
export interface Mutant {
  /** What is wrong, as one would tell it. */
  readonly what: string;
  /** The source file, from the root of the repository. */
  readonly file: string;
  /** Text that stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
  /** The test that has to fail: its file, from the root of the repository, and its title or the beginning of it. */
  readonly killedBy: readonly [file: string, title: string];
}
