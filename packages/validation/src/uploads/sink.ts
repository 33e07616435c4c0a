import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join, relative, resolve, isAbsolute } from 'node:path';
import { pipeline, type Readable, type Writable } from 'node:stream';
import { once } from 'node:events';
import { option, optionConflict, readOptions } from '@portcullis/core';

export interface StoredInfo {
  /** 32 hexadecimal digits, chosen here: the only name that a file has in the store. */
  readonly key: string;
  /** As found in the content. */
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
  /** For people; never a path. */
  readonly name: string;
}

/** Where kept files go: a folder ({@link diskSink}), or whatever takes a stream. */
export interface UploadSink {
  /**
   * Stores the file at `path`, which is complete and has passed every check. May move it away or read it; it is removed
   * afterwards in any case. A rejection refuses the upload with 503.
   */
  put(info: StoredInfo, path: string): Promise<void>;
  /** Removes it again; nothing happens where there is none. */
  remove(key: string): Promise<void>;
}

export interface DiskSinkOptions {
  /** Made if it is missing, readable for this user only. Inside no folder that is served. */
  readonly directory: string;
  /** Folders that a web server hands out, such as those of `express.static`; the store may neither be in one nor hold one. */
  readonly served?: readonly string[];
}

export interface DiskSink extends UploadSink {
  readonly directory: string;
  /** The stored bytes and their number. @throws if there is no such file */
  open(key: string): Promise<{ readonly size: number; stream(): Readable }>;
  /** Writes them to a response; the header fields are the caller's ({@link downloadHeaders}). */
  send(key: string, res: Writable): Promise<void>;
}

const KEY = /^[0-9a-f]{32}$/;

/**
 * Keeps files in a folder: under random names without extension, not executable, readable for this user only.
 * @throws OptionError if the folder is served, or if a served one is inside of it
 * @see OWASP ASVS 5.0 V5.3.1, V5.3.2
 */
export function diskSink(options: DiskSinkOptions): DiskSink {
  const given = readOptions('diskSink', options, {
    directory: option.string({ max: 1024 }),
    served: option.array(option.string({ max: 1024 }), { max: 100, default: [] }),
  });
  const directory = resolve(given.directory);
  for (const [i, served] of given.served.entries()) {
    if (isInside(directory, resolve(served)) || isInside(resolve(served), directory)) {
      optionConflict(
        'diskSink',
        `served[${i}]`,
        `directory must lie outside of ${served}: files there are handed out as they are`,
      );
    }
  }
  const pathOf = (key: string): string => {
    if (!KEY.test(key)) throw new TypeError('diskSink: a key has 32 hexadecimal digits.');
    // A folder with a million names is slow to list on some systems.
    return join(directory, key.slice(0, 2), key);
  };
  const openFile: DiskSink['open'] = async (key) => {
    const path = pathOf(key);
    const { size } = await stat(path);
    return { size, stream: () => createReadStream(path) };
  };
  return {
    directory,
    async put({ key }, path) {
      const target = pathOf(key);
      await mkdir(join(directory, key.slice(0, 2)), { recursive: true, mode: 0o700 });
      await move(path, target);
    },
    remove: async (key) => rm(pathOf(key), { force: true }),
    open: openFile,
    async send(key, res) {
      const { stream } = await openFile(key);
      const done = once(res, 'close');
      pipeline(stream(), res, () => undefined);
      await done;
    },
  };
}

/** Across file systems a rename is no move: then the copy appears under its name only when it is whole. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EXDEV') throw error;
    const part = `${to}.part`;
    try {
      await copyFile(from, part);
      await rename(part, to);
    } catch (failure) {
      await rm(part, { force: true });
      throw failure;
    }
  }
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}
