import type { Migration } from '@portcullis/core/postgres';

/**
 * The Merkle tree over the log. Batches that are not in it yet wait in `audit_unplaced`; `audit_placed` says at which leaf index a
 * batch begins; tiles hold the tree (c2sp.org/tlog-tiles); checkpoints are signed notes. A verifier believes none of it.
 */
export const treeMigration: Migration = Object.freeze({
  concern: 'audit',
  id: '003-tree',
  up: `
create table audit_unplaced (
  w text collate "C" not null,
  first bigint not null,
  primary key (w, first)
);

create table audit_placed (
  start bigint primary key,
  w text collate "C" not null,
  first bigint not null,
  count integer not null,
  unique (w, first)
);

create table audit_tile (
  level smallint not null,
  place bigint not null,
  hashes bytea not null,
  primary key (level, place)
);

create table audit_checkpoint (
  size bigint primary key,
  note text not null,
  at timestamptz not null default clock_timestamp()
);

${['placed', 'checkpoint']
  .map(
    (name) => `create trigger audit_${name}_append_only before update or delete or truncate on audit_${name}
  for each statement execute function audit_refuse_change();
alter table audit_${name} enable always trigger audit_${name}_append_only;`,
  )
  .join('\n')}

revoke all on audit_unplaced, audit_placed, audit_tile, audit_checkpoint from public;
`,
});
