import type { Change } from './change-feed.js';

const TOPIC = /^[a-z][a-z0-9-]{0,31}$/;
const MAX_SUBJECT = 512;

/** What every feed refuses alike. @throws TypeError */
export function checkChanges(changes: readonly Change[]): readonly Change[] {
  return changes.map(({ topic, subject }) => {
    if (!TOPIC.test(topic))
      throw new TypeError(`The topic of a change matches ${TOPIC}, not ${JSON.stringify(topic)}.`);
    if (
      typeof subject !== 'string' ||
      subject === '' ||
      subject.length > MAX_SUBJECT ||
      subject.includes('\0')
    ) {
      throw new TypeError(`The subject of a change has 1 to ${MAX_SUBJECT} characters and no NUL.`);
    }
    return Object.freeze({ topic, subject });
  });
}
