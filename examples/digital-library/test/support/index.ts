export {
  startLibrary,
  temporaryFolder,
  type LibraryOptions,
  type LibraryProcess,
} from './library-process.js';
export { Visitor, type BookView, type LoanView } from './visitor.js';
