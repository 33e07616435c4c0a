import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { packages, readText, root, shown, type Package } from '../src/repository.js';
import { findNodes, importsOf, packageOf, parseSource } from '../src/source-file.js';

const all = packages();
const scope = '@portcullis/';

/** The arrows of the house. Everything may use core; the umbrella may use everything. */
const mayUse: Readonly<Record<string, readonly string[]>> = {
  core: [],
  audit: ['core', 'redact'],
  errors: ['core', 'redact'],
};

function siblingsOf({ folder }: Package): readonly string[] {
  if (folder === 'portcullis') return all.map((p) => p.folder);
  return mayUse[folder] ?? ['core'];
}

test('there are packages to look at', () => {
  expect(all.length).toBeGreaterThanOrEqual(11);
});

describe.each(all.map((p) => [p.folder, p] as const))('%s', (folder, p) => {
  const { manifest } = p;
  const sources = p.sources.map(parseSource);

  test('imports no sibling but those below it', () => {
    const allowed = new Set([folder, ...siblingsOf(p)].map((name) => `${scope}${name}`));
    const used = sources.flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith(scope) && !allowed.has(packageOf(name)!))
        .map((name) => `${shown(file.fileName)} imports ${name}`),
    );
    expect(used).toEqual([]);
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    expect(declared.filter((name) => name.startsWith(scope) && !allowed.has(name))).toEqual([]);
  });

  test('declares what it imports, and imports what it declares', () => {
    const declared = Object.keys(manifest.dependencies ?? {});
    const optional = Object.keys(manifest.peerDependencies ?? {});
    const used = new Set(sources.flatMap(importsOf).map(packageOf));
    // `#peers/...`: the loader of an optional peer, a file of the package.
    const own = [undefined, 'node:', manifest.name, '#peers'];
    expect(
      [...used].filter((name) => !own.includes(name) && ![...declared, ...optional].includes(name!)),
    ).toEqual([]);
    expect(declared.filter((name) => !used.has(name))).toEqual([]);
    if (folder === 'core') expect(declared).toEqual([]);
  });

  test('loads an optional peer by a file that is published, when it is needed and never at the import', () => {
    const used = sources.flatMap(importsOf);
    const optional = Object.keys(manifest.peerDependenciesMeta ?? {});
    expect(used.filter((name) => optional.includes(packageOf(name) ?? ''))).toEqual([]);
    const loaders = manifest.imports ?? {};
    expect(used.filter((name) => name.startsWith('#')).sort()).toEqual(Object.keys(loaders).sort());
    for (const [name, file] of Object.entries(loaders)) {
      expect(file).toBe(`./${name.slice(1)}.cjs`);
      const [, peer] = /require\('([^']+)'\)/.exec(readText(join(p.directory, file))) ?? [];
      expect(optional).toContain(peer);
      // What the error says to install is what the manifest asks for.
      const wanted = `'${peer}@${manifest.peerDependencies?.[peer!]}'`;
      expect(sources.filter(({ text }) => text.includes(wanted))).toHaveLength(1);
      expect(manifest.files).toContain('peers');
    }
  });

  test('every dependency has one exact version; peers but express are optional', () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(
      versions.filter(
        ([, range]) => !/^(\d+\.\d+\.\d+(-[\w.]+)?|workspace:[\^*]|npm:.+@\d+\.\d+\.\d+)$/.test(range),
      ),
    ).toEqual([]);
    for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
      if (peer === 'express') continue;
      expect([peer, manifest.peerDependenciesMeta?.[peer]?.optional]).toEqual([peer, true]);
    }
  });

  test('publishes its exports without the source condition, and every entry exists and is built', () => {
    const published = Object.fromEntries(
      Object.entries(manifest.exports).map(([subpath, target]) => {
        if (typeof target === 'string') return [subpath, target];
        const { '@portcullis/source': _source, ...rest } = target;
        return [subpath, rest];
      }),
    );
    expect(manifest.publishConfig?.exports).toEqual(published);
    const built = readText(join(p.directory, 'tsup.config.ts'));
    for (const [subpath, target] of Object.entries(manifest.exports)) {
      if (typeof target === 'string') continue;
      // The first condition that matches wins: types before default, module-sync before import and require.
      expect(Object.keys(target)).toEqual(['@portcullis/source', 'module-sync', 'import', 'require']);
      const source = target['@portcullis/source'] as string;
      expect([subpath, existsSync(join(p.directory, source))]).toEqual([subpath, true]);
      expect(built).toContain(source.replace('./', ''));
      for (const [condition, format] of [
        ['module-sync', 'esm'],
        ['import', 'esm'],
        ['require', 'cjs'],
      ] as const) {
        const base = source.replace('./src/', `./dist/${format}/`).replace(/\.ts$/, '');
        expect(Object.entries(target[condition] as object)).toEqual([
          ['types', `${base}.d.ts`],
          ['default', `${base}.js`],
        ]);
      }
    }
  });

  test('says what a registry and its users need to know', () => {
    expect(manifest).toMatchObject({
      name: `${scope}${folder}`,
      license: 'MIT',
      type: 'module',
      sideEffects: false,
      engines: { node: '>=20.19' },
      repository: { directory: `packages/${folder}` },
      main: './dist/cjs/index.js',
      types: './dist/cjs/index.d.ts',
      publishConfig: { access: 'public', provenance: true },
    });
    expect(manifest.files).toEqual(expect.arrayContaining(['dist', 'errors', '!dist/**/*.tsbuildinfo']));
    for (const hook of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(manifest.scripts).not.toHaveProperty(hook);
  });

  test('lists its names one by one, keeps req.security typed, and has no default export', () => {
    const index = sources.find(({ fileName }) => fileName.endsWith(join('src', 'index.ts')))!;
    expect(findNodes(index, (node) => ts.isExportDeclaration(node) && !node.exportClause)).toEqual([]);
    if (folder !== 'core') {
      // The only form that survives both tsc and bundled declarations; without it a user of one package has no types.
      expect(index.text).toContain("export type { SecurityContext } from '@portcullis/core';");
    }
    const isDefault = (node: ts.Node): boolean =>
      ts.isExportAssignment(node) ||
      (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent));
    expect(sources.flatMap((file) => findNodes(file, isDefault))).toEqual([]);
  });

  test('takes time, chance, settings and logs by the door, and parses URLs by parseUrl()', () => {
    const exceptions: Readonly<Record<string, readonly string[]>> = {
      'packages/core/src/clock.ts': ['Date.now', 'performance.now'],
      'packages/config/src/load-config.ts': ['process.env'],
      // Ask whether they are in production, in order to refuse what is for development.
      'packages/auth/src/environment.ts': ['process.env'],
      'packages/csrf/src/environment.ts': ['process.env'],
    };
    // URL.canParse() is wrong about Latin-1 on Node.js 20: parseUrl() of core.
    const banned = [
      'Date.now',
      'Math.random',
      'performance.now',
      'process.env',
      'process.hrtime',
      'URL.canParse',
    ];
    const found = sources.flatMap((file) => {
      // A test kit asks whether it is in production, in order to refuse; a suite for real stores needs real time.
      const isTestKit = /\/src\/testing(\/|\.ts$)/.test(shown(file.fileName));
      const allowed = isTestKit ? ['process.env', 'Date.now'] : (exceptions[shown(file.fileName)] ?? []);
      return findNodes(file, (node) => {
        if (ts.isPropertyAccessExpression(node)) {
          const text = node.getText();
          return (
            !allowed.includes(text) && (banned.includes(text) || node.expression.getText() === 'console')
          );
        }
        return ts.isNewExpression(node) && node.getText() === 'new Date()';
      });
    });
    expect(found).toEqual([]);
  });

  test('keeps no state in a module: two copies of it in one process would disagree', () => {
    const found = sources.flatMap((file) =>
      file.statements.flatMap((statement) => {
        if (!ts.isVariableStatement(statement)) return [];
        const where = `${shown(file.fileName)}: ${statement.getText().split('\n')[0]}`;
        const isConst = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
        const isDeclared = statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword);
        if (!isConst && !isDeclared) return [where];
        // An empty collection at the top of a module waits to be filled.
        const waits = statement.declarationList.declarations.some(({ initializer }) => {
          if (initializer === undefined) return false;
          if (ts.isNewExpression(initializer)) {
            const isCollection = ['Map', 'Set', 'WeakMap', 'WeakSet', 'AsyncLocalStorage'].includes(
              initializer.expression.getText(),
            );
            return isCollection && (initializer.arguments?.length ?? 0) === 0;
          }
          return ts.isArrayLiteralExpression(initializer) && initializer.elements.length === 0;
        });
        return waits ? [where] : [];
      }),
    );
    expect(found).toEqual([]);
  });

  test('has no top-level await, which would keep require() from loading it', () => {
    const isTop = (node: ts.Node): boolean => {
      for (let at = node.parent; at; at = at.parent)
        if (ts.isFunctionLike(at) || ts.isClassStaticBlockDeclaration(at)) return false;
      return true;
    };
    const awaits = sources.flatMap((file) =>
      findNodes(file, (node) => ts.isAwaitExpression(node) && isTop(node)),
    );
    expect(awaits).toEqual([]);
  });

  test('is a project of the root tsconfig, and notes its first release for users', () => {
    const config = JSON.parse(readText(join(root, 'tsconfig.json'))) as { references: { path: string }[] };
    expect(config.references.map(({ path }) => path)).toContain(`packages/${folder}`);
  });
});
