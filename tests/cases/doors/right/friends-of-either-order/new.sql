create table public.friendships (
  low_user_id uuid not null references auth.users on delete cascade, high_user_id uuid not null references auth.users on delete cascade,
  status text not null default 'pending', primary key (low_user_id, high_user_id), check (low_user_id < high_user_id));
alter table public.friendships enable row level security;
create function public.friend_list() returns table (user_id uuid, status text) language sql stable security definer set search_path = '' as $$
  select case when f.low_user_id = (select auth.uid()) then f.high_user_id else f.low_user_id end, f.status
    from public.friendships f where (select auth.uid()) in (f.low_user_id, f.high_user_id)
$$;
