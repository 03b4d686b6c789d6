create table public.servers (
  id bigint generated always as identity primary key,
  token_id uuid not null references vault.secrets (id),
  url text not null
);
create function public.tell_server() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform extensions.http_post(old.url, '{}', 'application/json');
  return old;
end $$;
create trigger tell_server after delete on public.servers for each row execute function public.tell_server();
