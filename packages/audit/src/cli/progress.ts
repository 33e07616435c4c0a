const EVERY_MS = 100;
const WIDTH = 30;

export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A bar on a terminal; nothing where nobody looks on. */
export class Progress {
  readonly #terminal: Terminal | undefined;
  readonly #total: number;
  readonly #now: () => number;
  #done = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** @param total Bytes; 0 if that is not known */
  constructor(terminal: Terminal, total: number, now: () => number) {
    this.#terminal = terminal.isTTY ? terminal : undefined;
    this.#total = total;
    this.#now = now;
  }

  add(bytes: number): void {
    this.#done += bytes;
    if (!this.#terminal || this.#now() - this.#drawnAt < EVERY_MS) return;
    this.#drawnAt = this.#now();
    this.#terminal.write(`\r${this.#bar()}\u001b[K`);
  }

  end(): void {
    this.#terminal?.write('\r\u001b[K');
  }

  #bar(): string {
    const done = `${(this.#done / 2 ** 20).toFixed(0)} MiB`;
    if (this.#total === 0) return done;
    const share = Math.min(1, this.#done / this.#total);
    const filled = Math.round(share * WIDTH);
    return `[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${(share * 100).toFixed(0)} % ${done}`;
  }
}
