import type { Migration } from '@portcullis/core/postgres';

/** What queries look for, and where it stands in the body. */
const COLUMNS: readonly (readonly [column: string, path: readonly string[]])[] = [
  ['id', ['id']],
  ['at', ['t']],
  ['kind', ['k']],
  ['action', ['e', 'type']],
  ['outcome', ['e', 'outcome']],
  ['actor', ['e', 'actor', 'id']],
  ['target_type', ['e', 'target', 'type']],
  ['target_id', ['e', 'target', 'id']],
  ['request', ['c', 'requestId']],
];

/**
 * Generated columns read the body once for each of them, which took longer than all the rest of an append. A trigger reads it once, and
 * says as they did what the columns hold, whatever a statement gives. It calls by their full names, so that a `search_path` changes nothing.
 */
export const columnsMigration: Migration = Object.freeze({
  concern: 'audit',
  id: '005-columns',
  up: `
alter table audit_entry
  ${COLUMNS.map(([column]) => `alter column ${column} drop expression`).join(',\n  ')};

create function audit_read_body() returns trigger language plpgsql as $$
declare
  said constant pg_catalog.jsonb := new.body::pg_catalog.jsonb;
begin
${COLUMNS.map(
  ([column, path]) =>
    `  new.${column} := pg_catalog.jsonb_extract_path_text(said, ${path.map((key) => `'${key}'`).join(', ')});`,
).join('\n')}
  return new;
end $$;
create trigger audit_entry_read_body before insert or update of body, ${COLUMNS.map(([column]) => column).join(', ')} on audit_entry
  for each row execute function audit_read_body();
alter table audit_entry enable always trigger audit_entry_read_body;
`,
});
