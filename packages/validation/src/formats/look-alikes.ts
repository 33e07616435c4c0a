// What is drawn like an ASCII letter or digit in Latin, Greek, Cyrillic and Armenian, the scripts in which whole Latin words can
// be imitated: a selection, in the direction of Unicode's confusables.txt (UTS 39 section 4) but folded to lower case, and compared
// with its version 17.0.0 entry by entry. Five Latin letters with a stroke stand there with a combining one, which skeletons
// drop; 0399 and 0406 are `l` there, which skeletons do not tell from `i`; 0185, 03DD, 051A and 053C are not in it.
// Upper case by itself, because a capital can have a double where the small letter has none. Code points, because sources are ASCII.
const ROWS: Readonly<Record<string, string>> = {
  a: '0251 03B1 0430 0391 0410',
  b: '0184 0185 0392 0412 042C',
  c: '03F2 0441 03F9 0421 1D04',
  d: '0501 0111',
  e: '0435 04BD 0395 0415',
  f: '0584 03DD 03DC',
  g: '0261 0581 050C',
  h: '04BB 0570 0127 0397 041D',
  i: '0131 0269 03B9 0456 0399 0406',
  j: '03F3 0458 0408',
  k: '039A 041A',
  l: '04CF 04C0 0142 053C',
  m: '039C 041C',
  n: '0578 057C 039D',
  o: '03BF 03C3 043E 0585 00F8 039F 041E 0555 1D0F',
  p: '03C1 0440 03A1 0420',
  q: '051B 051A 0563 0566',
  r: '0433',
  s: '0455 0405 01BD 054F',
  t: '0167 03A4 0422',
  u: '03C5 057D 028B 054D 1D1C',
  v: '03BD 0475 0474 1D20',
  w: '051D 051C 0461 0561 026F',
  x: '0445 03A7 0425',
  y: '0443 03B3 04AF 04AE 03A5',
  z: '0396 1D22',
  3: '0417 04E0 01B7',
  6: '0431',
};

export const LOOK_ALIKES: ReadonlyMap<string, string> = new Map(
  Object.entries(ROWS).flatMap(([seen, codes]) =>
    codes.split(' ').map((code) => [String.fromCodePoint(Number.parseInt(code, 16)), seen] as const),
  ),
);
