import { sql, type Events, type SqlClient } from '@portcullis/core';
import { createUploads, diskSink, type DiskSink, type Uploads } from '@portcullis/validation/uploads';
import { join } from 'node:path';
import { limits } from './limits.js';

export interface Cover {
  readonly key: string;
  /** As found in the content, such as `image/png`. */
  readonly type: string;
}

/** Where the pictures of books lie: a folder that is not served, under random names. */
export interface Covers {
  readonly uploads: Uploads;
  readonly files: DiskSink;
}

export function createCovers(directory: string, events: Events): Covers {
  const files = diskSink({ directory: join(directory, 'covers') });
  return {
    files,
    uploads: createUploads({ sink: files, pictures: { maxPixels: limits.cover.maxPixels }, events }),
  };
}

/** Undefined if there is no such book, or if it has no cover. */
export async function coverOf(db: SqlClient, id: string): Promise<Cover | undefined> {
  const found = await db.query<Cover>(
    sql`select cover_key as key, cover_type as type from library.book where id = ${id} and cover_key is not null`,
  );
  return found.rows[0];
}

/** False if there is no such book. */
export async function setCover(
  db: SqlClient,
  id: string,
  { key, type }: Cover,
  by: string,
): Promise<boolean> {
  const changed = await db.query(sql`
    update library.book set cover_key = ${key}, cover_type = ${type}, modified_at = now(), modified_by = ${by}
    where id = ${id}`);
  return changed.rowCount === 1;
}
