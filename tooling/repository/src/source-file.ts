import ts from 'typescript';
import { readText, shown } from './repository.js';

/** Parses a file; comments and strings do not count as code then. */
export function parseSource(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readText(path), ts.ScriptTarget.ES2022, true);
}

/** Module specifiers of static and dynamic imports, re-exports, `require()` and `declare module`. */
export function importsOf(file: ts.SourceFile): readonly string[] {
  const found: string[] = [];
  visit(file, (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text);
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push((node.argument.literal as ts.StringLiteral).text);
    }
    if (ts.isCallExpression(node) && node.arguments[0] && ts.isStringLiteralLike(node.arguments[0])) {
      const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword;
      if (isImport || node.expression.getText() === 'require') found.push(node.arguments[0].text);
    }
    if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name)) found.push(node.name.text);
  });
  return found;
}

/** `path:line: text` of every node for which the rule holds. */
export function findNodes(file: ts.SourceFile, rule: (node: ts.Node) => boolean): readonly string[] {
  const found: string[] = [];
  visit(file, (node) => {
    if (!rule(node)) return;
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${shown(file.fileName)}:${line + 1}: ${node.getText().split('\n')[0]}`);
  });
  return found;
}

export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

/** The package of a specifier: `@a/b` of `@a/b/c`, `node:` for what Node brings, nothing for a relative path. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.')) return undefined;
  if (specifier.startsWith('node:')) return 'node:';
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
