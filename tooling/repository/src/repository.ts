import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

export const root = join(import.meta.dirname, '..', '..', '..');

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly main?: string;
  readonly types?: string;
  readonly files?: readonly string[];
  readonly engines?: { readonly node?: string };
  readonly repository?: { readonly directory?: string };
  readonly imports?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;
  readonly publishConfig?: {
    readonly access?: string;
    readonly provenance?: boolean;
    readonly exports?: Readonly<Record<string, unknown>>;
  };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export interface Package {
  /** Folder below `packages/`, which is the name without its scope. */
  readonly folder: string;
  readonly directory: string;
  readonly manifest: Manifest;
  /** Paths of all source files. */
  readonly sources: readonly string[];
}

/** Every published package. */
export function packages(): readonly Package[] {
  return readdirSync(join(root, 'packages'))
    .map((folder) => ({ folder, directory: join(root, 'packages', folder) }))
    .filter(({ directory }) => existsSync(join(directory, 'package.json')))
    .map(({ folder, directory }) => ({
      folder,
      directory,
      manifest: JSON.parse(readText(join(directory, 'package.json'))) as Manifest,
      sources: filesBelow(join(directory, 'src')).filter((path) => path.endsWith('.ts')),
    }));
}

const GENERATED = new Set([
  'node_modules',
  'dist',
  'coverage',
  '.git',
  '.turbo',
  '.data',
  '.vectors',
  '.work',
  '.snippets',
  '.tsc',
]);

/** All files below a folder that belong into the repository. */
export function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (GENERATED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

/** Path as a person would name it, with `/` on every system. */
export function shown(path: string): string {
  return relative(root, path).split(sep).join('/');
}
