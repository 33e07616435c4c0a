import type { SqlClient } from '@portcullis/core';
import type { Migration } from '@portcullis/core/postgres';
import type { AuditPeople, SealedValue } from '../store.js';

/**
 * Personal values beside the log. A value without its key says nothing, and a key can have a backup of its own, with a retention
 * as short as it has to be. What is erased is remembered by pseudonym, so that what comes later out of a spool stays out.
 */
export const peopleMigration: Migration = Object.freeze({
  concern: 'audit',
  id: '003-people',
  up: `
drop table audit_sealed;
create table audit_subject_key (
  id text collate "C" primary key,
  subject text collate "C" not null,
  wrapped text not null,
  since bigint not null
);
create index audit_subject_key_subject on audit_subject_key (subject);
create table audit_sealed (
  commitment text collate "C" primary key,
  subject text collate "C" not null,
  path text not null,
  key text collate "C" not null,
  value text not null
);
create index audit_sealed_subject on audit_sealed (subject);
create table audit_erased (
  subject text collate "C" primary key,
  at bigint not null
);
alter table audit_outbox add column sealed text;
revoke all on audit_subject_key, audit_sealed, audit_erased from public;
`,
});

export const peopleGrants = (role: string): string => `
grant insert, select, delete on audit_subject_key, audit_sealed to ${role};
grant insert, select, update on audit_erased to ${role};`;

/** Parts of the statement that appends these values, as JSON. */
export function sealedParts(name: (table: string) => string, values: string): string {
  return `given as materialized (
      select g.* from fresh, jsonb_to_recordset(${values})
        as g(commitment text, subject text, path text, key text, wrapped text, since bigint, value text)
      where not exists (select from ${name('audit_erased')} e where e.subject = g.subject and e.at >= g.since)
    ), keys as (
      insert into ${name('audit_subject_key')} (id, subject, wrapped, since)
      select distinct on (key) key, subject, wrapped, since from given
      on conflict do nothing
    ), sealed as (
      insert into ${name('audit_sealed')} (commitment, subject, path, key, value)
      select commitment, subject, path, key, value from given
    )`;
}

export function postgresPeople(
  name: (table: string) => string,
  run: <T>(work: (client: SqlClient) => Promise<T>) => Promise<T>,
): AuditPeople {
  return Object.freeze<AuditPeople>({
    find: (commitments) =>
      run(async (client) => {
        const { rows } = await client.query<SealedValue & { since: string }>(
          `select s.commitment, s.subject, s.path, s.key, s.value, k.wrapped, k.since::text as since
           from ${name('audit_sealed')} s join ${name('audit_subject_key')} k on k.id = s.key
           where s.commitment = any ($1::text[])`,
          [commitments],
        );
        return rows.map((row) => ({ ...row, since: Number(row.since) }));
      }),
    async erase(subjects, at) {
      // First the word that they are gone, committed: appends that start from now on drop their values.
      await run((client) =>
        client.query(
          `insert into ${name('audit_erased')} (subject, at) select subject, $2::bigint from unnest($1::text[]) subject
           on conflict (subject) do update set at = greatest(excluded.at, ${name('audit_erased')}.at)`,
          [subjects, at],
        ),
      );
      return run(async (client) => {
        // Waits for appends that started before and may not have seen the word.
        await client.query(`lock table ${name('audit_sealed')}, ${name('audit_subject_key')} in share mode`);
        const { rows } = await client.query<{ count: string }>(
          `with gone as (
             delete from ${name('audit_subject_key')} where subject = any ($1::text[]) and since <= $2::bigint
           ), values_gone as (
             delete from ${name('audit_sealed')} s where subject = any ($1::text[]) and not exists (
               select from ${name('audit_subject_key')} k where k.id = s.key and k.since > $2::bigint
             ) returning 1
           ) select count(*)::text as count from values_gone`,
          [subjects, at],
        );
        return Number(rows[0]!.count);
      });
    },
  });
}
