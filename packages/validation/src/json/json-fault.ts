/** What can be wrong with a JSON text; the `keyword` of the problem document. */
export type JsonRule =
  | 'syntax'
  | 'trailing'
  | 'byteOrderMark'
  | 'duplicateKey'
  | 'prototypeKey'
  | 'nul'
  | 'surrogate'
  | 'number'
  | 'depth'
  | 'keys'
  | 'items';

/** Thrown inside of the reader only; says where, never what stood there. */
export class JsonFault extends Error {
  constructor(
    readonly rule: JsonRule,
    message: string,
    /** UTF-16 code units from the start of the text. */
    readonly offset: number,
    readonly path: readonly (string | number)[],
  ) {
    super(message);
    this.name = 'JsonFault';
  }
}

export interface TextPosition {
  /** UTF-16 code units from the start of the text, from 0. */
  readonly offset: number;
  /** From 1. */
  readonly line: number;
  /** UTF-16 code units from the start of the line, from 1. */
  readonly column: number;
}

export function positionOf(text: string, offset: number): TextPosition {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0 && end < offset; end = text.indexOf('\n', end + 1)) {
    line++;
    start = end + 1;
  }
  return { offset, line, column: offset - start + 1 };
}
