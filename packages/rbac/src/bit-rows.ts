/** Rows of bits in one piece of memory; bits beyond its size are empty. */
export class BitRows {
  readonly #words: Uint32Array;
  readonly #stride: number;
  readonly #bits: number;

  constructor(rows: number, bits: number) {
    this.#stride = Math.max(1, (bits + 31) >>> 5);
    this.#words = new Uint32Array(rows * this.#stride);
    this.#bits = bits;
  }

  has(row: number, bit: number): boolean {
    return bit < this.#bits && (this.#words[row * this.#stride + (bit >>> 5)]! & (1 << (bit & 31))) !== 0;
  }

  add(row: number, bit: number): void {
    this.#words[row * this.#stride + (bit >>> 5)]! |= 1 << (bit & 31);
  }

  uniteRow(row: number, fromRow: number): void {
    const [into, start] = [row * this.#stride, fromRow * this.#stride];
    for (let i = 0; i < this.#stride; i++) this.#words[into + i]! |= this.#words[start + i]!;
  }

  /** Calls back with each bit of a row. */
  each(row: number, use: (bit: number) => void): void {
    for (let i = 0; i < this.#stride; i++) {
      for (let word = this.#words[row * this.#stride + i]!; word !== 0; word &= word - 1) {
        use(i * 32 + 31 - Math.clz32(word & -word));
      }
    }
  }
}
