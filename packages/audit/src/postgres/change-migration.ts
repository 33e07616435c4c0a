import type { Migration } from '@portcullis/core/postgres';

/** Triggers put many changes into one row, which goes within seconds: to compress it takes longer than to write it. */
export const changeMigration: Migration = Object.freeze({
  concern: 'audit',
  id: '002-changes',
  up: 'alter table audit_outbox alter column draft set storage external;',
});
