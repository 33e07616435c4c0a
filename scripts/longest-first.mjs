import Sequencer from '@jest/test-sequencer';

/** What takes minutes on a fresh clone, where Jest knows no durations yet and would begin with the largest files. */
const LONG = /\/(?:digital-library\/test\/|audit\/test\/(?:second-verifier|faults)|[a-z]+-stores\.test)/;

/** Long files first, so that no worker begins one when the others have nothing left to do. */
// oxlint-disable-next-line import/no-default-export -- Jest takes nothing else.
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [
      ...sorted.filter(({ path }) => LONG.test(path)),
      ...sorted.filter(({ path }) => !LONG.test(path)),
    ];
  }
}
