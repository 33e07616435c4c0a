import type { Options } from 'tsup';

/** The command and the library as one folder that runs by itself, made from source: worker threads load no TypeScript. */
const options: Options = {
  entry: {
    bin: 'src/cli/bin.ts',
    'scan-worker': 'src/cli/scan-worker.ts',
    index: 'src/index.ts',
  },
  format: 'esm',
  target: 'node20',
  noExternal: [/^@portcullis\//],
  esbuildOptions(esbuild) {
    esbuild.conditions = ['@portcullis/source', 'import'];
  },
};

export default options;
