import type { Migration } from '@portcullis/core/postgres';

/** The database role that requests run under. It owns nothing, so that row-level security binds it. */
export const APP_ROLE = 'library_app';

/**
 * The library's own tables. The rules that must never break stand here, not in the application: how many copies can be lent,
 * who sees which loan. Policies read `app.user_id` and `app.is_staff`, set per transaction.
 */
export const libraryMigrations: readonly Migration[] = [
  {
    concern: 'library',
    id: '001-books-and-loans',
    up: `
      create schema library;

      create table library.book (
        id bigint generated always as identity primary key,
        isbn13 text not null unique check (isbn13 ~ '^97[89][0-9]{10}$'),
        title text not null check (char_length(title) between 1 and 300),
        authors text not null check (char_length(authors) between 1 and 1000),
        year smallint check (year between -3000 and 2100),
        copies integer not null check (copies between 0 and 1000),
        lent integer not null default 0,
        search text not null,
        created_at timestamptz not null default now(),
        created_by text not null,
        modified_at timestamptz not null default now(),
        modified_by text not null,
        constraint book_copies_cover_loans check (lent between 0 and copies)
      );
      create index book_title on library.book (title, id);

      create table library.person (
        id uuid primary key default gen_random_uuid(),
        email text not null unique check (char_length(email) between 3 and 320),
        password_hash text,
        active boolean not null default true,
        enrolled boolean not null default false,
        created_at timestamptz not null default now()
      );

      create table library.loan (
        id uuid primary key default gen_random_uuid(),
        book_id bigint not null references library.book (id),
        patron_id text not null,
        borrowed_at timestamptz not null default now(),
        due_at timestamptz not null,
        returned_at timestamptz,
        check (returned_at >= borrowed_at)
      );
      create unique index loan_open_once on library.loan (book_id, patron_id) where returned_at is null;
      create index loan_patron on library.loan (patron_id, borrowed_at desc);

      -- Counts lent copies with the loan, in the same transaction and under the book's row lock.
      create function library.count_loan() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        if tg_op = 'INSERT' then
          -- One loan of a patron at a time, so that the count below is not raced past.
          perform pg_advisory_xact_lock(hashtextextended('library.loan:' || new.patron_id, 0));
          update library.book set lent = lent + 1 where id = new.book_id and lent < copies;
          if not found and exists (select from library.book where id = new.book_id) then
            raise exception 'no copy left' using errcode = 'LB001';
          end if;
          if (select count(*) from library.loan where patron_id = new.patron_id and returned_at is null) > 5 then
            raise exception 'too many loans' using errcode = 'LB002';
          end if;
        elsif old.returned_at is null and new.returned_at is not null then
          update library.book set lent = lent - 1 where id = new.book_id;
        elsif old.returned_at is not null then
          raise exception 'a returned loan does not change' using errcode = 'LB003';
        end if;
        return null;
      end $$;
      create trigger count_loan after insert or update on library.loan
        for each row execute function library.count_loan();
    `,
  },
  {
    concern: 'library',
    id: '002-row-level-security',
    up: `
      do $$ begin
        create role ${APP_ROLE} nologin;
      exception when duplicate_object or unique_violation then null;
      end $$;
      do $$ begin
        execute format('grant ${APP_ROLE} to %I', current_user);
      end $$;
      grant usage on schema library to ${APP_ROLE};
      grant select on library.book to ${APP_ROLE};
      grant insert (isbn13, title, authors, year, copies, search, created_by, modified_by) on library.book to ${APP_ROLE};
      grant update (isbn13, title, authors, year, copies, search, modified_at, modified_by) on library.book to ${APP_ROLE};
      grant select on library.loan to ${APP_ROLE};
      grant insert (book_id, patron_id, due_at) on library.loan to ${APP_ROLE};
      grant update (returned_at) on library.loan to ${APP_ROLE};

      create function library.is_staff() returns boolean language sql stable as
        $$ select coalesce(current_setting('app.is_staff', true) = 'true', false) $$;
      create function library.user_id() returns text language sql stable as
        $$ select nullif(current_setting('app.user_id', true), '') $$;

      alter table library.book enable row level security;
      create policy everybody_reads on library.book for select to ${APP_ROLE} using (true);
      create policy staff_adds on library.book for insert to ${APP_ROLE} with check (library.is_staff());
      create policy staff_changes on library.book for update to ${APP_ROLE}
        using (library.is_staff()) with check (library.is_staff());

      alter table library.loan enable row level security;
      create policy own_or_staff_reads on library.loan for select to ${APP_ROLE}
        using (patron_id = library.user_id() or library.is_staff());
      create policy patron_borrows on library.loan for insert to ${APP_ROLE} with check (patron_id = library.user_id());
      create policy own_or_staff_returns on library.loan for update to ${APP_ROLE}
        using (patron_id = library.user_id() or library.is_staff());
    `,
  },
  {
    concern: 'library',
    id: '003-covers',
    up: `
      -- The file itself lies in a folder under a random name; what it is was found in its content.
      alter table library.book
        add cover_key text check (cover_key ~ '^[0-9a-f]{32}$'),
        add cover_type text check (cover_type ~ '^image/'),
        add constraint book_cover_whole check ((cover_key is null) = (cover_type is null));
      grant update (cover_key, cover_type) on library.book to ${APP_ROLE};
    `,
  },
  {
    concern: 'library',
    id: '004-passkeys',
    up: `
      create table library.passkey (
        id text primary key check (id <> '' and char_length(id) <= 1364),
        person_id uuid not null references library.person (id) on delete cascade,
        public_key text not null,
        counter bigint not null check (counter >= 0),
        transports jsonb not null,
        backup_eligible boolean not null,
        backed_up boolean not null,
        name text not null check (char_length(name) between 1 and 64),
        created_at timestamptz not null,
        last_used_at timestamptz
      );
      create index passkey_person on library.passkey (person_id);
    `,
  },
  {
    concern: 'library',
    id: '005-factors',
    up: 'alter table library.person add column factors text;', // Sealed by @portcullis/auth.
  },
  {
    concern: 'library',
    id: '006-deletion',
    up: `
      grant delete on library.book to ${APP_ROLE};
      create policy staff_deletes on library.book for delete to ${APP_ROLE} using (library.is_staff());
    `,
  },
  {
    concern: 'library',
    id: '007-verified',
    up: 'alter table library.person add column email_verified boolean not null default true;',
  },
];
