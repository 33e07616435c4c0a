import type { Migration } from './migrate.js';

/** The tables of {@link postgresFeed}: one row that serialises, and the log. */
export const feedMigrations: readonly Migration[] = Object.freeze([
  {
    concern: 'feed',
    id: '001-log',
    up: `
create table feed (
  one boolean primary key default true check (one),
  revision bigint not null,
  published bigint not null
);
create table feed_change (
  number bigint primary key,
  revision bigint not null,
  topic text not null,
  subject text not null
);
create index feed_change_revision on feed_change (revision);
insert into feed (revision, published)
  values ((extract(epoch from clock_timestamp()) * 1000000)::bigint, 1);
insert into feed_change (number, revision, topic, subject)
  select published, revision, '', '' from feed;
`,
  },
]);
