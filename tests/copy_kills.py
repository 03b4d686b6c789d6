"""kill -9 in the middle of save, restore and clone: the stack is as before or as asked, never in between.

    python -m tests.copy_kills [KILLS] [SEED] [COMMAND …]

That many kills of each command (default 50), at points spread over its run: each run is traced once, its calls and
returns are cut into as many parts in their order, and SEED picks one of each part. Then a fresh promthctl and psycopg
look: every table, sequence and index is as before or as asked, by checksums; what was in use before an exchange comes
back with `local reset --undo`; a snapshot is not there, or can be restored; no process runs that no record names, and
no folder is left that is neither. Prints a line for each failure and one at the end; ends with 1 if there was one.
"""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.local_faults import CLONE, REMOVE, RESTORE, SAVE, UNDO, UP, Failed, Local, home_of, two_projects, url_of
from tests.promthctl_runner import Project

COMMANDS = {"save": SAVE, "restore": RESTORE, "clone": CLONE}
# Kept in the data folder between two commands: what is in use, the one before it, snapshots, Storage's files.
_KNOWN = ("postgres-17", "postgres-17-before-reset", "snapshots", "storage")
_ROWS = 20_000
_TABLES = f"""
create table if not exists public.marks (mark int primary key);
create table if not exists public.things (id bigserial primary key, word text, at timestamptz default now());
create index if not exists words on public.things (word);
create table if not exists public.parts (id int, kind text, primary key (id, kind)) partition by list (kind);
create table if not exists public.parts_a partition of public.parts for values in ('a');
create table if not exists public.parts_rest partition of public.parts default;
create table if not exists public.owned (id bigint references public.things, body bytea);
insert into public.things (word) select md5(i::text) from generate_series(1, {_ROWS}) i
 where not exists (select from public.things);
insert into public.parts select i, chr(97 + i % 3) from generate_series(1, 300) i on conflict do nothing;
insert into public.owned select i, decode(repeat(md5(i::text), 20), 'hex') from generate_series(1, 500) i
 where not exists (select from public.owned);
insert into auth.users (id, email) select gen_random_uuid(), 'someone@example.com'
 where not exists (select from auth.users);
insert into storage.buckets (id, name) values ('b', 'b') on conflict do nothing"""
_FOUND = """
select format('%I.%I', n.nspname, c.relname), c.relkind::text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'S', 'i', 'p') and (n.nspname in ('public', 'supabase_migrations')
       or c.relkind = 'r' and format('%I.%I', n.nspname, c.relname) in
          ('auth.users', 'auth.identities', 'storage.buckets', 'storage.objects'))
 order by 1"""
_SUM = "select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') from only {} t"
State = dict[str, str]


@dataclass
class Copies(Local):
    """A stack with rows in it, killed while it is copied. before, asked: what it may be afterwards."""

    before: State = field(default_factory=dict)
    asked: State = field(default_factory=dict)
    mark: int = 0

    def prepare(self, name: str) -> None:
        run = self.project.run
        run(*UP)
        if self.saved():
            run(*REMOVE, "--yes")
        if name == "clone":
            self.asked = fill_tables(url_of(self.beside), 0)
        elif name == "restore":
            self.mark += 1
            self.asked = fill_tables(url_of(self.project), self.mark)
            run(*SAVE)
        self.mark += 1
        self.before = fill_tables(url_of(self.project), self.mark)

    def settle(self, name: str, done: bool = True) -> None:
        """Look at everything. done: the command said that it was."""
        run = self.project.run
        run(*UP)
        self.only(set(self.project.pids().values()))
        look_for_leftovers(self.project, home_of(self.project))
        now = state_of(url_of(self.project))
        if name == "save":
            self.equal(now, self.before, "the database was only copied")
            if done and not self.saved():
                raise Failed("the snapshot is not there")
            if self.saved():
                fill_tables(url_of(self.project), self.mark + 1_000_000)
                run(*RESTORE)
                self.equal(state_of(url_of(self.project)), self.before, "the snapshot")
            return
        if now != self.before or done:
            self.equal(now, self.asked, "what was asked for")
            run(*UNDO)
            self.equal(state_of(url_of(self.project)), self.before, "the database that was in use")
        if name == "restore" and not self.saved():
            raise Failed("the snapshot is gone")

    def equal(self, now: State, wanted: State, what: str) -> None:
        if now != wanted:
            names = [name for name in sorted({*now, *wanted}) if now.get(name) != wanted.get(name)]
            raise Failed(f"{what}: {len(names)} of {len(wanted)} differ, {', '.join(names[:4])}")

    def kill_at(self, name: str, point: str) -> str:
        """One fault; says whether it came before the command's end. Raises Failed."""
        self.prepare(name)
        running = self.project.start(*self.words(COMMANDS[name]), at=point, signal="SIGKILL")
        said = "".join(running.communicate(timeout=300))
        try:
            if "Traceback" in said or running.returncode not in (0, -9):
                raise Failed(f"exit code {running.returncode}: {said}")
            self.settle(name, done=running.returncode == 0)
        except (Failed, AssertionError, psycopg.Error) as error:
            raise Failed(f"{name}, killed at {point}: {error}") from error
        return "not killed" if running.returncode == 0 else "killed"


def spread_over(points: list[str], number: int, choose: random.Random) -> list[str]:
    """One of each of so many parts of a run, in their order."""
    ends = [place * len(points) // number for place in range(number + 1)]
    return [choose.choice(points[begin : max(end, begin + 1)]) for begin, end in itertools.pairwise(ends)]


def kill(folder: Path, name: str, number: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How often the command was killed, and the failures."""
    counts, failures = Counter[str](), []
    with two_projects(folder, seed, {name: COMMANDS[name]}, Copies) as local:
        for point in spread_over(local.points[name], number, random.Random(f"{seed} {name}")):
            try:
                counts[local.kill_at(name, point)] += 1
            except Failed as error:
                counts["killed"] += 1
                failures.append(str(error))
                print(error, flush=True)
    return counts, failures


def main(number: int, seed: int, names: list[str]) -> int:
    """The number of failures."""
    names = names or list(COMMANDS)
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(len(names)) as pool:
        Path(root).chmod(0o755)
        done = list(pool.map(lambda name: kill(Path(root) / name, name, number, seed), names))
    for name, (counts, failures) in zip(names, done, strict=True):
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        print(f"{name}: {told}; {len(failures)} neither as before nor as asked")
    return sum(len(failures) for _, failures in done)


def look_for_leftovers(project: Project, home: Path) -> None:
    """Raises Failed for folders that are neither databases nor snapshots, and for snapshots without their folder."""
    strange = [one.name for one in home.iterdir() if one.name not in _KNOWN and one.is_dir()]
    listed = {one["name"] for one in project.json("local", "snapshot", "list")["snapshots"]}
    there = {one.name for one in home.glob("snapshots/*") if not one.name.startswith(".removed-")}
    if strange or listed != there:
        raise Failed(f"left over: {strange}, {sorted(there - listed)}; listed in vain: {sorted(listed - there)}")


def fill_tables(url: str, mark: int) -> State:
    """The tables, and one more row; what there is then."""
    with psycopg.connect(url) as connection:
        connection.execute(_TABLES.encode(), prepare=False)
        connection.execute("insert into public.marks values (%s) on conflict do nothing", (mark,))
    return state_of(url)


def state_of(url: str) -> State:
    """Of a table the rows' number and checksum, of a sequence its position, of an index that it is there."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        found = dict[str, str]()
        for name, kind in connection.execute(_FOUND.encode()).fetchall():
            query = _SUM.format(name) if kind == "r" else f"select last_value::text from {name}"
            value = connection.execute(query.encode()).fetchone() if kind in ("r", "S") else None
            found[name] = str(value[0]) if value else kind
        return found


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:] if word.isdigit()]
    named = [word for word in sys.argv[1:] if not word.isdigit()]
    sys.exit(1 if main(given[0] if given else 50, given[1] if len(given) > 1 else 1, named) else 0)
