/** ISO 2108: ten digits, the last may be X; the sum weighted 10 to 1 is a multiple of 11. */
export function isIsbn10(text: string): boolean {
  if (!/^\d{9}[\dX]$/.test(text)) return false;
  const sum = text
    .split('')
    .reduce((total, digit, i) => total + (digit === 'X' ? 10 : Number(digit)) * (10 - i), 0);
  return sum % 11 === 0;
}

/** ISO 2108: thirteen digits from 978 or 979; the sum weighted 1 and 3 is a multiple of 10. */
export function isIsbn13(text: string): boolean {
  if (!/^97[89]\d{10}$/.test(text)) return false;
  return (
    text.split('').reduce((total, digit, i) => total + Number(digit) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
  );
}

/** Either, as printed on books too: single hyphens or spaces between digits. */
export function isIsbn(text: string): boolean {
  if (!/^\d(?:[- ]?\d){8,11}[- ]?[\dX]$/.test(text)) return false;
  const digits = text.replaceAll(/[- ]/g, '');
  return isIsbn10(digits) || isIsbn13(digits);
}
