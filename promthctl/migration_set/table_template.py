"""A migration that makes a table of which every user has their own rows, and its down script."""

from __future__ import annotations

import re

from promthctl.errors import UsageError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,50}")  # needs no quotes; room for the name of its index in PostgreSQL's 63
_UP = """-- {stem}: {table}, each of which belongs to one user.

create table public.{table} (
  id bigint generated always as identity primary key,
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  title text not null,
  created_at timestamptz not null default now()
);

-- Policies and the cascade look rows up by their user.
create index {table}_user_id_idx on public.{table} (user_id);

alter table public.{table} enable row level security;

create policy "Users read their own {table}" on public.{table}
  for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users add their own {table}" on public.{table}
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "Users change their own {table}" on public.{table}
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "Users remove their own {table}" on public.{table}
  for delete to authenticated using ((select auth.uid()) = user_id);

-- The API reaches a table only with a grant; who sees which rows, the policies say.
grant select, insert, update, delete on public.{table} to authenticated, service_role;
"""
_DOWN = """-- Undoes {stem}: the rows of {table} are lost.

drop table public.{table};
"""


def table_of_name(slug: str) -> str:
    """The table that a migration's name is about: create_notes and add_notes are about notes.

    Raises UsageError for what cannot be a table's name without quotes.
    """
    table = re.sub(r"^(create|add|make)_(table_)?", "", slug) or slug
    if not _NAME.fullmatch(table):
        why = f"{table!r} cannot be the name of a table without quotes"
        raise UsageError("The migration has no table", why, "promthctl migrations new create_notes --template table")
    return table


def table_texts(stem: str, table: str) -> tuple[str, str]:
    """The migration and its down script. stem: of their file names."""
    return _UP.format(stem=stem, table=table), _DOWN.format(stem=stem, table=table)
