import type { Mutant } from './mutant.js';

const src = (name: string): string => `packages/audit/src/${name}.ts`;
const test = (name: string, title: string): Mutant['killedBy'] => [
  `packages/audit/test/${name}.test.ts`,
  title,
];
const seen = test('verify', '16 are seen with an anchor');

/** What a verifier, retention, the log in files and personal values must not let pass: each guard removed. */
export const mutants: readonly Mutant[] = [
  {
    what: 'the signature of a batch is not looked at',
    file: src('verify/judge'),
    from: "if (!verify(null, statement, chain.key.object, Buffer.from(signature, 'base64'))) {",
    to: 'if (statement.length === 0) {',
    killedBy: test('verify', 'more is seen: no signature at the end'),
  },
  {
    what: 'a writer needs no certificate of the log',
    file: src('verify/judge'),
    from: 'if (this.#key && !isCertified(this.#key, writer, key, certificate)) {',
    to: 'if (this.#key && !isCertified(this.#key, writer, key, certificate) && key === undefined) {',
    killedBy: test('verify', 'more is seen: no signature at the end'),
  },
  {
    what: 'entries before the newest anchor may be others',
    file: src('verify/judge'),
    from: 'if (this.#anchors.pop()!.root.equals(this.#tree.root())) this.#anchored = size;',
    to: 'if (this.#anchors.pop()!.size === size) this.#anchored = size;',
    killedBy: seen,
  },
  {
    what: 'an anchor may hold more than the log',
    file: src('verify/judge'),
    from: 'for (const { size } of this.#anchors) {',
    to: 'for (const { size } of this.#anchors.slice(1)) {',
    killedBy: seen,
  },
  {
    what: 'entries at the end need no batch',
    file: src('verify/judge'),
    from: 'if (covered < next) this.#find(',
    to: 'if (covered > next) this.#find(',
    killedBy: test('verify', 'more is seen: no signature at the end'),
  },
  {
    what: 'another text of the same JSON is the same entry',
    file: src('verify/canonical-scan'),
    from: 'return bytes[from] === OPEN_BRACE && value(bytes, from, to, 0) === to;',
    to: 'return bytes[from] === OPEN_BRACE || value(bytes, from, to, 0) === to;',
    killedBy: test('verify', 'an entry in another text of the same JSON is seen'),
  },
  {
    what: 'a blank between two members is canonical',
    file: src('verify/canonical-scan'),
    from: 'if (bytes[at] !== COMMA) return -1;\n    [before',
    to: 'if (bytes[at] !== COMMA && bytes[at++] !== 32) return -1;\n    [before',
    killedBy: test('verify', 'the quick look takes no other text of the same JSON'),
  },
  {
    what: 'a writer whose key is known may say that the beginning was removed',
    file: src('verify/judge'),
    from: 'if (this.#key && !isSignedPruned(this.#key, pruned)) {',
    to: 'if (!this.#key && !isSignedPruned(this.#key!, pruned)) {',
    killedBy: test('retention', 'every removal that the log did not sign and record is seen'),
  },
  {
    what: 'what was tampered with is pruned, and so covered up, if the tree is of the same entries',
    file: src('retention/prune'),
    from: 'if (problem !== undefined || !(await rootAt(to, tree.tiles)).equals(root)) {',
    to: 'if (problem !== undefined && !(await rootAt(to, tree.tiles)).equals(root)) {',
    killedBy: test('retention', 'nor is one whose entries are those of the tree'),
  },
  {
    what: 'a removal needs no record in the log',
    file: src('verify/judge'),
    from: "if (digest && !this.#prunings.has(digest(this.#log ?? ''))) {",
    to: "if (digest && this.#prunings.has(digest(this.#log ?? ''))) {",
    killedBy: test('retention', 'a statement that is signed but in no record of the log is seen'),
  },
  {
    what: 'a legal hold keeps nothing',
    file: src('retention/prune'),
    from: ".map(({ from = '' }) => from).reduce((a, b) => (a < b ? a : b), before)",
    to: ".map(({ from = '' }) => from).reduce((a, b) => (a > b ? a : b), before)",
    killedBy: test('retention', 'a legal hold keeps what it names'),
  },
  {
    what: 'two processes write into one folder',
    file: src('file/store'),
    from: 'if (claimLock(lock, random)) return removeUnfinished',
    to: 'if (claimLock(lock, random) || true) return removeUnfinished',
    killedBy: test('file', 'one process writes at a time'),
  },
  {
    what: 'a lock of a dead process whose number is used again is never taken over',
    file: src('files/lock-file'),
    from: 'return started === startOf(pid);',
    to: 'return true;',
    killedBy: test('file', 'one process writes at a time'),
  },
  {
    what: 'half a write counts after a crash',
    file: src('file/segments'),
    from: 'return { summary, bytes, torn: content.length - bytes };',
    to: 'return { summary, bytes: content.length, torn: 0 };',
    killedBy: test('file', 'a write that the end of the process cut short'),
  },
  {
    what: 'a folder whose entries are gone goes on',
    file: src('file/store'),
    from: 'checkWhole(segments, tree, begin);',
    to: '',
    killedBy: test('file', 'a folder whose entries are gone does not start'),
  },
  {
    what: 'the file of an erased person is not put in the place of the old one',
    file: src('file/people'),
    from: 'await rename(next, file.path);',
    to: '',
    killedBy: test('file', 'an erased person is in no file any more'),
  },
  {
    what: 'equal personal values have equal commitments',
    file: src('people/people'),
    from: 'const salt = Buffer.from(random.bytes(SALT));',
    to: 'const salt = Buffer.alloc(SALT);',
    killedBy: test('people', 'the same value twice has two commitments'),
  },
];
