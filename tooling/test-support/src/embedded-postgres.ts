import type { PGlite } from '@electric-sql/pglite';

/** PGlite in memory, on a prepared data directory: initialising one costs each test file seconds of processor time. */
export async function embeddedPostgres(): Promise<PGlite> {
  const [{ PGlite }, { dataDir }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite-prepopulatedfs'),
  ]);
  return PGlite.create({ loadDataDir: await dataDir() });
}
