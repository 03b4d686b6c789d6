"""The bootstrap and the stand-ins work on every version of PostgreSQL that can be the embedded engine."""

from __future__ import annotations

import dataclasses
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from promthctl import settings, toolchain, trust
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.templates import template
from promthctl.engines.ports import free_port
from promthctl.sql.statements import split_statements
from promthctl.steps import Silent
from promthctl.toolchain import Toolchain, installation

COMPAT = Path(__file__).parent.parent / "compat"
OTHER_MAJORS = (14, 15, 16, 18)  # 17 is what every other test runs on


@contextmanager
def started(folder: Path, tools: Toolchain, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database on the PostgreSQL in a folder."""
    here = dataclasses.replace(settings.load(tmp_path), postgres=str(folder))
    trust.agree(here)
    choice, user = toolchain.choose_server(here), system_user.postgres_user(here)
    programs = toolchain.postgres(tools, choice, here, user, free_port(), Silent())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)
        cluster = Cluster(programs, Path(home) / "data" / f"postgres-{choice.name}", user, here)
        cluster.create(template(programs, user, here, Silent()))
        password, port = secrets.token_hex(12), free_port()
        cluster.set_passwords(password, password)
        log = tmp_path / "postgres.log"
        server = cluster.start(port, log, lambda _: None)
        try:
            cluster.wait(server, log)
            yield f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        finally:
            cluster.stop(server)


@pytest.mark.parametrize("major", OTHER_MAJORS)
def test_a_supabase_can_be_made_on(
    major: int, installations: Path, tools: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    native = installations / f"postgres-{major}" / "native"
    installation.complete(native)
    with started(native, tools, tmp_path) as url, psycopg.connect(url, autocommit=True) as connection:
        assert connection.info.server_version // 10000 == major
        rights = connection.execute(
            "select rolsuper, has_schema_privilege('anon', 'public', 'create'), nspowner::regrole::text"
            "  from pg_roles, pg_namespace where rolname = 'postgres' and nspname = 'public'"
        ).fetchone()
        assert rights == (False, False, "pg_database_owner")
        newer = ("platform",) if major >= 15 else ()  # `for tables in schema` is of 15
        for style in ("remote_dump", "storage", "scheduler", "vault", "queues", *newer):
            with connection.transaction(force_rollback=True):
                for file in sorted((COMPAT / style).glob("*.sql")):
                    text = file.read_text(encoding="utf-8")
                    for start, end, _ in split_statements(text):  # one by one, as the CLI sends them
                        connection.execute(text[start:end].encode(), prepare=False)
                    connection.execute("reset all")  # what a file sets is for its own session
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("alter table auth.users add column nickname text")
