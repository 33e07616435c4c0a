import { describe } from '@jest/globals';
import { librarySuite } from './suites/library-suite.js';
import { openLibrary } from './support/open-library.js';

describe('the library on PGlite, alone', () => {
  librarySuite(() => openLibrary());
});
