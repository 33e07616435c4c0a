import { bundle } from '../../tsup.preset.js';

const [command] = bundle(['src/cli/bin.ts', 'src/cli/scan-worker.ts']);

export default [
  ...bundle(['src/index.ts', 'src/file.ts', 'src/postgres.ts', 'src/testing.ts', 'src/winston.ts']),
  // The command is a module of its own, in one format.
  command,
];
