create extension if not exists pgmq;
create extension if not exists pg_jsonschema with schema extensions;
create extension if not exists pgjwt with schema extensions;

select pgmq.create('mail');
select pgmq.send('mail', '{"to": "ada@example.com"}');

create table public.settings (
  id integer primary key,
  value jsonb not null,
  check (jsonb_matches_schema('{"type": "object", "required": ["theme"], "properties": {"theme": {"enum": ["dark", "light"]}}}', value))
);
alter table public.settings enable row level security;

create function public.guest_token() returns text language sql security definer set search_path = '' as
$$ select extensions.sign('{"role": "anon"}'::json, 'a secret of at least thirty-two bytes') $$;
