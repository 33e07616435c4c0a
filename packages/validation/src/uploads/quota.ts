import { storeKey, type KeyValueStore } from '@portcullis/core';
import { errors } from '../error-codes.js';

export interface QuotaLimits {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface Usage {
  readonly bytes: number;
  readonly files: number;
}

const ATTEMPTS = 50;

/**
 * What each owner has stored, counted in a store that all processes share: one compare-and-swap per change, so that uploads
 * at the same moment cannot pass the limit together. A store that does not answer refuses.
 */
export class Quota {
  constructor(
    private readonly store: KeyValueStore,
    private readonly limits: QuotaLimits,
  ) {}

  async used(owner: string): Promise<Usage> {
    return parse(await this.store.get(keyOf(owner)));
  }

  /** @throws E_UPLOAD_QUOTA (403), or the store's 503 */
  async reserve(owner: string, bytes: number, files: number): Promise<void> {
    await this.#change(owner, ({ bytes: b, files: f }) => {
      const next = { bytes: b + bytes, files: f + files };
      if (next.bytes > this.limits.maxBytes || next.files > this.limits.maxFiles) {
        throw errors.E_UPLOAD_QUOTA({ details: { owner, used: { bytes: b, files: f } } });
      }
      return next;
    });
  }

  async release(owner: string, bytes: number, files: number): Promise<void> {
    await this.#change(owner, (now) => ({
      bytes: Math.max(0, now.bytes - bytes),
      files: Math.max(0, now.files - files),
    }));
  }

  async #change(owner: string, change: (now: Usage) => Usage): Promise<void> {
    const key = keyOf(owner);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const before = await this.store.get(key);
      const { bytes, files } = change(parse(before));
      if (await this.store.swap(key, before, `${bytes} ${files}`)) return;
    }
    // So many changes at once of one owner are no ordinary use.
    throw errors.E_UPLOAD_UNAVAILABLE({ details: { reason: 'quota-contended' } });
  }
}

function keyOf(owner: string) {
  return storeKey('uploads', owner);
}

function parse(text: string | undefined): Usage {
  const [bytes = 0, files = 0] = (text ?? '0 0').split(' ').map(Number);
  return { bytes, files };
}
