import { afterAll, beforeAll } from '@jest/globals';
import type { OpenLibrary } from '../support/open-library.js';
import { apiKeys } from './api-keys.js';
import { attacks } from './attacks.js';
import { badInput } from './bad-input.js';
import { decisions } from './decisions.js';
import { browserSide } from './browser-side.js';
import { endings } from './endings.js';
import { everydayUse } from './everyday-use.js';
import { mail } from './mail.js';
import { secondFactor } from './second-factor.js';
import { unrecorded } from './unrecorded.js';

/** All claims about one library in one process, whatever it stands on. */
export function librarySuite(open: () => Promise<OpenLibrary>): void {
  let library: OpenLibrary;
  beforeAll(async () => {
    library = await open();
  });
  afterAll(async () => {
    await library?.close();
  });
  const current = (): OpenLibrary => library;
  everydayUse(current);
  decisions(current);
  badInput(current);
  browserSide(current);
  secondFactor(current);
  apiKeys(current);
  endings(current);
  unrecorded(current);
  mail(current);
  attacks(current); // Last: it looks through everything that the others have left in the audit log.
}
