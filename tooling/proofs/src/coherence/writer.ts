// Writes without pause until it is killed, and says what was acknowledged. Without transactions it is the control group: what
// a store would be that writes its statements one by one.
import { createFreshness, type Sql } from '@portcullis/core';
import { fromPg, postgresFeed } from '@portcullis/core/postgres';
import { createRbac } from '@portcullis/rbac';
import { postgresRoles } from '@portcullis/rbac/postgres';
import pg from 'pg';
import { permissions } from './shared.js';

const [database = '', mode = '', name = ''] = process.argv.slice(2);
const real = fromPg(new pg.Pool({ connectionString: database, max: 2 }));
const loose: Sql = {
  kind: real.kind,
  shared: real.shared,
  query: real.query.bind(real),
  cursor: real.cursor.bind(real),
  transaction: (work) =>
    work({
      query: real.query.bind(real),
      cursor: real.cursor.bind(real),
      onCommit: (done) => done(),
    }),
};
const sql = mode === 'no-transactions' ? loose : real;
const feed = postgresFeed({ sql });
const rbac = createRbac({
  permissions,
  store: postgresRoles({ sql, feed }),
  freshness: createFreshness({ feed }),
});
await rbac.seed({ left: {}, right: {} });

for (let i = 0; ; i++) {
  const low = i % 2 === 0;
  const allow = Array.from({ length: 10 }, (_, n) => `many:a${low ? n : n + 10}` as const);
  await rbac.defineRole('root', 'flip', { inherits: [low ? 'left' : 'right'], allow: allow as never });
  process.send!('role');
  const user = `u-${name}-${i}`;
  await rbac.grantRole('root', user, 'flip');
  process.send!(user);
}
