import ts from 'typescript';

/** One small change of a source, as a slip of the pen would make it. */
export interface Slip {
  /** Line, the function around it, and what it was and became: `12 #get: a < b -> a <= b`. */
  readonly what: string;
  /** The whole source with the change. */
  readonly source: string;
}

const SWAPPED: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [ts.SyntaxKind.LessThanToken]: '<=',
  [ts.SyntaxKind.LessThanEqualsToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>=',
  [ts.SyntaxKind.GreaterThanEqualsToken]: '>',
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [ts.SyntaxKind.AmpersandAmpersandToken]: '||',
  [ts.SyntaxKind.BarBarToken]: '&&',
  [ts.SyntaxKind.PlusToken]: '-',
  [ts.SyntaxKind.MinusToken]: '+',
  [ts.SyntaxKind.AsteriskToken]: '/',
  [ts.SyntaxKind.AmpersandToken]: '|',
  [ts.SyntaxKind.BarToken]: '&',
  [ts.SyntaxKind.BarEqualsToken]: '&=',
  [ts.SyntaxKind.AmpersandEqualsToken]: '|=',
};

/** Methods whose answer turns round, or that take away. */
const CALLS: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
};

/**
 * The usual set of small changes (comparisons, logic, arithmetic, conditions, truth, negations, statements left out, `some` for
 * `every`), each at every place of a source where it can be made. Types, imports, texts of errors and comments stay.
 */
export function slipsOf(file: string, text: string): readonly Slip[] {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const found: Slip[] = [];
  const put = (node: ts.Node, becomes: string): void => {
    const [start, end] = [node.getStart(tree), node.getEnd()];
    const { line } = tree.getLineAndCharacterOfPosition(start);
    const short = (part: string): string => part.replaceAll(/\s+/g, ' ').slice(0, 60);
    found.push({
      what: `${line + 1} ${around(node)}: ${short(text.slice(start, end))} -> ${short(becomes) || 'left out'}`,
      source: text.slice(0, start) + becomes + text.slice(end),
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isImportDeclaration(node) || isError(node)) return;
    if (ts.isBinaryExpression(node)) {
      const swapped = SWAPPED[node.operatorToken.kind];
      if (swapped !== undefined) {
        const { left, right } = node;
        put(node, `${left.getText(tree)} ${swapped} ${right.getText(tree)}`);
      }
    } else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      put(node, node.operand.getText(tree));
    } else if (node.kind === ts.SyntaxKind.TrueKeyword) put(node, 'false');
    else if (node.kind === ts.SyntaxKind.FalseKeyword) put(node, 'true');
    else if (ts.isIfStatement(node)) {
      put(node.expression, 'true');
      put(node.expression, 'false');
    } else if (ts.isConditionalExpression(node)) {
      put(node.condition, 'true');
      put(node.condition, 'false');
    } else if (isStep(node)) put(node, ';');
    else if (ts.isPropertyAccessExpression(node) && ts.isCallExpression(node.parent)) {
      const other = Object.hasOwn(CALLS, node.name.text) ? CALLS[node.name.text] : undefined;
      if (other !== undefined && node.parent.expression === node) put(node.name, other);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** Name of the nearest function that has one: lines move, names seldom. */
function around(node: ts.Node): string {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isConstructorDeclaration(at)) return 'constructor';
    const named = ts.isArrowFunction(at) ? at.parent : at;
    const isNamed =
      ts.isFunctionDeclaration(named) ||
      ts.isMethodDeclaration(named) ||
      ts.isGetAccessorDeclaration(named) ||
      (ts.isArrowFunction(at) && ts.isVariableDeclaration(named));
    if (isNamed && named.name) return named.name.getText();
  }
  return 'module';
}

/** What is said in an error is for people, not for tests. */
function isError(node: ts.Node): boolean {
  return (
    ts.isNewExpression(node) || (ts.isCallExpression(node) && /\.E_[A-Z_]+$/.test(node.expression.getText()))
  );
}

/** A statement that can be left out by itself: a call, an assignment, a step of a loop. */
function isStep(node: ts.Node): boolean {
  if (ts.isContinueStatement(node) || ts.isBreakStatement(node)) return true;
  if (!ts.isExpressionStatement(node)) return false;
  const inner =
    ts.isAwaitExpression(node.expression) || ts.isVoidExpression(node.expression)
      ? node.expression.expression
      : node.expression;
  return (
    ts.isCallExpression(inner) ||
    (ts.isBinaryExpression(inner) && inner.operatorToken.kind === ts.SyntaxKind.EqualsToken)
  );
}
