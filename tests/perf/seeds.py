"""A large seed: its peak memory against that of a small one, as single rows and as statements of many rows."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.perf.measuring import peak_megabytes
from tests.promthctl_runner import Project

_MB = 1_000_000
_GOAL = 1.3


def bench_seed_memory(project: Project, few: int = 5, many: int = 52) -> None:
    """few, many: the size of the two seeds in megabytes. A statement is in memory as a whole: 100 bytes, or 2.6 MB."""
    project.up()
    with psycopg.connect(project.env()["SUPABASE_DB_URL"], autocommit=True) as connection:
        connection.execute("drop table if exists bench_seed; create table bench_seed (id int, name text, note text)")
    for rows, what in ((1, "one row"), (25_000, "25,000 rows")):
        small, large = (_peak(project, _seed(project.path / "bench.sql", size, rows)) for size in (few, many))
        title = f"peak memory of a seed of {many} MB to one of {few} MB, {what} a statement"
        print(f"{title:<72} {large:6.1f} MB / {small:6.1f} MB = {large / small:5.2f}  (goal ≤ {_GOAL})", flush=True)


def _seed(path: Path, size: int, rows: int) -> Path:
    """A file of that many megabytes, of inserts of that many rows."""
    with path.open("w") as file:
        number = 0
        while file.tell() < size * _MB:
            values = (f"({n}, 'name {n}', 'a note; it''s {'x' * 60}')" for n in range(number, number + rows))
            file.write(f"insert into public.bench_seed values {', '.join(values)};\n")
            number += rows
    return path


def _peak(project: Project, file: Path) -> float:
    return peak_megabytes(project.command("seed", "sql", str(file)), project)
