/** Chance that can be repeated: the same seed, the same proof (xorshift128, Marsaglia 2003). */
export interface Chance {
  /** 0 to `below` - 1. */
  number(below: number): number;
  of<T>(list: readonly T[]): T;
  text(length: number, alphabet: string): string;
}

export function chanceOf(seed: number): Chance {
  let [x, y, z, w] = [seed | 1, 362_436_069, 521_288_629, 88_675_123];
  const next = (): number => {
    const t = x ^ (x << 11);
    [x, y, z] = [y, z, w];
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
  const number = (below: number): number => next() % below;
  return {
    number,
    of: (list) => list[number(list.length)]!,
    text: (length, alphabet) => Array.from({ length }, () => alphabet[number(alphabet.length)]).join(''),
  };
}
