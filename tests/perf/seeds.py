"""A large seed: its peak memory against that of a small one, as single rows and as a few statements of many rows."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.perf.measuring import peak_megabytes
from tests.promthctl_runner import Project


def bench_seed_memory(project: Project, few: int = 1_000, many: int = 500_000) -> None:
    project.up()
    with psycopg.connect(project.env()["SUPABASE_DB_URL"], autocommit=True) as connection:
        connection.execute("drop table if exists bench_seed; create table bench_seed (id int, name text, note text)")
    for rows, what in ((1, "one row"), (150_000, "150,000 rows")):
        small, large = (_peak(project, _seed(project.path / "bench.sql", n, rows)) for n in (few, many))
        title = f"peak memory of a seed of {many:,} rows, {what} a statement"
        goal = 1.3 if rows == 1 else 4.0  # a statement is in memory as a whole, and it has 10 MB
        print(f"{title:<72} {large:6.1f} MB / {small:6.1f} MB = {large / small:5.2f}  (goal ≤ {goal})", flush=True)


def _seed(path: Path, number: int, rows: int) -> Path:
    with path.open("w") as file:
        for n in range(number):
            first, last = n % rows == 0, n % rows == rows - 1 or n == number - 1
            head = "insert into public.bench_seed values " if first else ""
            file.write(f"{head}({n}, 'name {n}', 'a note; it''s {'x' * 30}'){';' if last else ','}\n")
    return path


def _peak(project: Project, file: Path) -> float:
    return peak_megabytes(project.command("seed", "sql", str(file)), project)
