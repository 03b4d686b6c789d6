"""What pgrls says of the cases of leaks and of right schemas, beside what the isolation proof says.

    python -m tests.perf.beside_pgrls PGRLS [PART OF A CASE'S NAME]

PGRLS is its program, from an environment of its own (pip install pgrls==0.57.0): it needs another pglast than we do. It
reads policies and proves by Z3; it makes no rows. A leak in any of its modes counts as found.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from promthctl import settings, toolchain
from promthctl.declarations import read_declarations
from promthctl.isolation import prove_isolation
from promthctl.isolation.table_reading import own_schemas
from promthctl.steps import Silent
from tests.cases import Case, find_cases
from tests.servers import bare_server, fresh_database

_MODES = ("anon", "cross-tenant", "write")


def peer(program: str, url: str) -> str:
    """The worst of its verdicts in all modes; what it wrote where it gave none."""
    found: set[str] = set()
    with psycopg.connect(url) as connection:
        schemas = own_schemas(connection)
    for mode in _MODES:
        command = [
            program,
            "verify",
            "--mode",
            mode,
            "--format",
            "json",
            "--schemas",
            ",".join(schemas),
            "--database-url",
            url,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        try:
            found |= {table["verdict"] for table in json.loads(done.stdout)["tables"]}
        except (ValueError, KeyError):
            return (done.stderr or done.stdout).strip().splitlines()[-1][:60]
    return next((word for word in ("leak", "unverified", "isolated") if word in found), "nothing")


def ours(url: str, case: Case) -> str:
    """The worst of our states."""
    file = case.folder / "declared.json"
    declared = read_declarations(json.loads(file.read_text(encoding="utf-8")) if file.exists() else {})
    with psycopg.connect(url) as connection:
        report = prove_isolation(connection, declared)
    states = {proof.state for proof in report.tables} | {finding.severity for finding in report.findings}
    return next((state for state in ("leak", "failed", "not proven") if state in states), "proven")


def main(program: str, part: str = "") -> None:
    tools = toolchain.ensure(settings.load(Path()), Silent())
    totals: dict[tuple[str, str, str], int] = {}
    with tempfile.TemporaryDirectory() as folder, bare_server(Path(folder), tools) as server:
        for group in ("leaks", "right"):
            for case in find_cases(group):
                if part not in f"{group}/{case.name}":
                    continue
                with fresh_database(server) as url:
                    with psycopg.connect(url) as connection:
                        connection.execute(case.new.encode())
                    said = (ours(url, case), peer(program, url))
                totals[group, *said] = totals.get((group, *said), 0) + 1
                print(f"{group}/{case.name:50} ours {said[0]:12} pgrls {said[1]}", flush=True)
    for (group, mine, theirs), count in sorted(totals.items()):
        print(f"{count:4} {group}: ours {mine}, pgrls {theirs}")


if __name__ == "__main__":
    main(*sys.argv[1:])
