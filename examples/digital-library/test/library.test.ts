import { afterAll, beforeAll, describe } from '@jest/globals';
import { badInput } from './suites/bad-input.js';
import { browserSide } from './suites/browser-side.js';
import { contentTypes } from './suites/content-types.js';
import { librarySuite } from './suites/library-suite.js';
import { openLibrary, type OpenLibrary } from './support/open-library.js';

describe('the library on PGlite, alone', () => {
  librarySuite(() => openLibrary(), [badInput, browserSide]);
});

// Afterwards it is not what it was.
describe('a library that is asked for everything that it has', () => {
  let library: OpenLibrary;
  beforeAll(async () => {
    library = await openLibrary();
  });
  afterAll(() => library?.close());
  contentTypes(() => library);
});
