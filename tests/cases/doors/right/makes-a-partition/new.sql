create table public.hits (at date not null default current_date, path text, user_id uuid references auth.users) partition by range (at);
alter table public.hits enable row level security;
create function public.hit(path text) returns void language plpgsql security definer set search_path = '' as $$
begin
  if to_regclass('public.hits_of_today') is null then
    execute format('create table public.hits_of_today partition of public.hits for values from (%L) to (%L)', current_date, current_date + 1);
  end if;
  insert into public.hits (path, user_id) values (path, auth.uid());
end
$$;
