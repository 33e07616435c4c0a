import { describe } from '@jest/globals';
import { badInput } from './suites/bad-input.js';
import { browserSide } from './suites/browser-side.js';
import { librarySuite } from './suites/library-suite.js';
import { openLibrary } from './support/open-library.js';

describe('the library on PGlite, alone', () => {
  librarySuite(() => openLibrary(), [badInput, browserSide]);
});
