import type { Options } from 'tsup';

/** JavaScript only, in both module formats; `tsc -b` makes the declarations. */
export function bundle(entries: string[] = ['src/index.ts']): Options[] {
  return (['esm', 'cjs'] as const).map((format) => ({
    entry: entries,
    format,
    outDir: `dist/${format}`,
    outExtension: () => ({ js: '.js' }),
    target: 'node20',
    dts: false,
    clean: false,
    // The loader of an optional peer stays a file of its own, in CommonJS.
    external: [/^#peers\//],
    splitting: format === 'esm',
    sourcemap: false,
  }));
}
