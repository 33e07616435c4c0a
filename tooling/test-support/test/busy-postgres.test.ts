import { expect, test } from '@jest/globals';
import pg from 'pg';
import { describeWithPostgres, startPostgres } from '../src/index.js';

describeWithPostgres('a PostgreSQL whose connections are busy', () => {
  test('comes back after a kill: no statement of the old server outlives it', async () => {
    const server = await startPostgres();
    const busy = new pg.Client({ connectionString: server.url });
    busy.on('error', () => undefined);
    await busy.connect();
    // Computes without ever looking whether its parent is alive, so that only a signal of its own ends it.
    const statement = busy
      .query('select count(*) from generate_series(1, 4000000000)')
      .catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await server.kill();
    await server.restart();
    expect(await statement).toBeInstanceOf(Error);
    await server.stop();
  });
});
