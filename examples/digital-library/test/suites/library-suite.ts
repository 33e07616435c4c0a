import { afterAll, beforeAll } from '@jest/globals';
import type { OpenLibrary } from '../support/open-library.js';
import { apiKeys } from './api-keys.js';
import { attacks } from './attacks.js';
import { decisions } from './decisions.js';
import { endings } from './endings.js';
import { everydayUse } from './everyday-use.js';
import { mail } from './mail.js';
import { secondFactor } from './second-factor.js';
import { unrecorded } from './unrecorded.js';

/**
 * The claims about one library in one process that may depend on what it stands on; `others` are those that cannot, as
 * they are about requests that reach no store.
 */
export function librarySuite(
  open: () => Promise<OpenLibrary>,
  others: readonly ((library: () => OpenLibrary) => void)[] = [],
): void {
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
  secondFactor(current);
  apiKeys(current);
  endings(current);
  unrecorded(current);
  mail(current);
  for (const claims of others) claims(current);
  attacks(current); // Last: it looks through everything that the others have left in the audit log.
}
