import { Finding } from './file-view.js';

export interface ArchiveLimits {
  /** Bytes of everything in an archive together, unpacked, nested archives included. */
  readonly maxUnpackedBytes: number;
  readonly maxEntries: number;
  /** Unpacked over packed, once more than 1 MiB has come out of one entry. */
  readonly maxRatio: number;
  /** Archives in archives: 0 refuses them, 1 looks into them, and so on. */
  readonly maxNesting: number;
}

const FREE_BYTES = 2 ** 20;

/** What one upload may unpack, over all its archives: spent while unpacking, so that it is never exceeded. */
export class Budget {
  #bytes = 0;
  #entries = 0;

  constructor(readonly limits: ArchiveLimits) {}

  /** @throws Finding */
  entry(): void {
    if (++this.#entries > this.limits.maxEntries) throw new Finding('size', 'entries');
  }

  /** Refuses by what an archive says of itself, before anything is unpacked. @throws Finding */
  announce(bytes: number): void {
    if (this.#bytes + bytes > this.limits.maxUnpackedBytes) throw new Finding('size', 'unpacked');
  }

  /** `unpacked` so far of one stream that has `packed` bytes. @throws Finding */
  spend(bytes: number, unpacked: number, packed: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.limits.maxUnpackedBytes) throw new Finding('size', 'unpacked');
    if (unpacked > FREE_BYTES && unpacked > packed * this.limits.maxRatio) throw new Finding('size', 'ratio');
  }
}
