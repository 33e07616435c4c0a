import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * A file that grows by whole pieces. A piece is on disk when `append()` resolves; if it rejects, nothing of it counts, and what
 * may be there of it is cut off before the next one.
 */
export class AppendFile {
  readonly path: string;
  #size: number;
  #handle: FileHandle | undefined;
  /** Something may stand behind what counts, as after a crash. */
  #ragged = true;

  /** @param size How many bytes of what is there count. */
  constructor(path: string, size: number) {
    this.path = path;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws what the file system says: ENOSPC, EFBIG, EIO */
  async append(bytes: Uint8Array): Promise<void> {
    const handle = await this.#open();
    if (this.#ragged) await this.#cut(handle);
    this.#ragged = true;
    try {
      await writeAt(handle, bytes, this.#size);
      await handle.datasync();
    } catch (error) {
      await this.#cut(handle).catch(() => undefined);
      throw error;
    }
    this.#ragged = false;
    this.#size += bytes.length;
  }

  /** What stands after `size` goes. */
  async truncate(size: number): Promise<void> {
    this.#size = size;
    this.#ragged = true;
    await this.#cut(await this.#open());
  }

  /** For reading what counts. */
  handle(): Promise<FileHandle> {
    return this.#open();
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle) return this.#handle;
    this.#handle = await open(this.path, constants.O_RDWR | constants.O_CREAT, 0o600);
    // Without it, a crash can take the name of a new file away.
    await syncFolder(dirname(this.path));
    return this.#handle;
  }

  async #cut(handle: FileHandle): Promise<void> {
    await handle.truncate(this.#size);
    await handle.datasync();
    this.#ragged = false;
  }
}

export async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const part = await handle.write(bytes, written, bytes.length - written, position + written);
    written += part.bytesWritten;
  }
}

/** Makes names in a folder durable. Windows cannot, and does not need to. */
export async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle | undefined;
  try {
    folder = await open(path, 'r');
    await folder.sync();
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL'].includes((error as { code?: string }).code ?? ''))
      throw error;
  } finally {
    await folder?.close();
  }
}
