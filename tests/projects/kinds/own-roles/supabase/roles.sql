do $$
begin
  if not exists (select from pg_roles where rolname = 'kinds_reporting') then
    create role kinds_reporting nologin noinherit;
  end if;
end $$;
create role kinds_worker;
alter role kinds_worker set statement_timeout = '5s';
grant kinds_reporting to authenticator;
