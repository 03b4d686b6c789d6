-- A new value of an enum can be used only after a commit.
begin;
create type account_kind as enum ('asset');
commit;

alter type account_kind add value if not exists 'debt';

begin transaction;
alter table accounts add column kind account_kind not null default 'asset';
insert into accounts (id, name, kind) values (3, 'loan', 'debt');
end;

create or replace function begin_of_year(day date) returns date language plpgsql immutable as $$
begin
  return date_trunc('year', day)::date;
end;
$$;
