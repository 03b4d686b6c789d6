"""COPY … TO STDOUT in pieces: all of it, and an error in its middle."""

from __future__ import annotations

import psycopg
import pytest

from promthctl.copies.copy_out import blocks
from tests.servers import Server, fresh_database

pytestmark = pytest.mark.usefixtures("tools")


def test_all_rows_come_and_an_error_in_the_middle_is_raised(server: Server) -> None:
    with fresh_database(server) as url, psycopg.connect(url, autocommit=True) as connection:
        for rows, width in ((0, 1), (1, 1), (3, 2_000_000), (50_000, 20)):
            query = f"copy (select repeat('x', {width}) from generate_series(1, {rows})) to stdout"
            with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
                found = b"".join(blocks(cursor, copy))
            assert found == (b"x" * width + b"\n") * rows
        failing = b"copy (select 1 / (i - 40000) from generate_series(1, 50000) i) to stdout"
        with (
            pytest.raises(psycopg.errors.DivisionByZero),
            connection.cursor() as cursor,
            cursor.copy(failing) as copy,
        ):
            for _ in blocks(cursor, copy):
                pass
        many = b"copy (select generate_series(1, 500000)) to stdout"
        with (
            pytest.raises(ValueError, match="enough"),
            connection.cursor() as cursor,
            cursor.copy(many) as copy,
        ):
            for _ in blocks(cursor, copy):
                raise ValueError("enough")
        assert connection.execute("select 1").fetchone() == (1,)  # the connection can be used again
