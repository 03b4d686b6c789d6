"""A database copied into a fresh Supabase on this machine, from one snapshot, and compared with it afterwards.

The schema comes from pg_dump where there is one, in two parts: tables, then the rows, then indexes, constraints and
triggers, which do not fire so. Without a pg_dump the Supabase CLI's diff engine drafts it, as for `pull`. What either
leaves (triggers on auth.users, policies on storage.objects) is added from the comparison of the two catalogs.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database, process, shadow, supabase_cli
from promthctl.copies import comparing
from promthctl.copies.backup_file import DISK_FULL, MORE_ROOM, TAKEN, Loaded, Loader
from promthctl.copies.masks import Masks
from promthctl.copies.pg_dump import HISTORY, PgDump, pg_dump_or_none, without_platform
from promthctl.copies.row_copy import RowCopy, SourceTable, one_snapshot, read_tables
from promthctl.database.sqlstates import first_line
from promthctl.drafting.engine import forward, read_state, run
from promthctl.engines import Filling
from promthctl.errors import PromthctlError, RefusedError
from promthctl.rehearsal.twin import equalise
from promthctl.schema import Catalog, compare, snapshot
from promthctl.schema.queries import MANAGED_SCHEMAS
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_AS_BEFORE = "the local stack is as it was"
_CHUNK = 1 << 20  # bytes of a large object at once
_MEMBERS = "select objid::bigint from pg_depend where classid = 'pg_class'::regclass and deptype = 'e'"
_OBJECTS = "select oid::bigint from pg_largeobject_metadata order by 1"
_SUM_OF_OBJECTS = (
    "select count(*), coalesce(md5(string_agg(md5(lo_get(oid)), '' order by oid)), '') from pg_largeobject_metadata"
)
_EMPTY_VIEWS = """
select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'm' and not c.relispopulated order by c.oid"""


@dataclass(frozen=True)
class Amount:
    """What is to be copied, estimated by the source's statistics: rows may be None, size is in bytes."""

    tables: int
    rows: int | None
    size: int


@dataclass(frozen=True)
class Source:
    """A database that is only read from. tables: whose rows are wanted, with those of the history."""

    target: Target
    connection: Connection
    tables: tuple[SourceTable, ...]
    amount: Amount
    data: bool
    sample: int | None

    @property
    def major(self) -> int:
        return self.connection.info.server_version // 10000


@dataclass(frozen=True)
class Copied:
    """See local_stack.clone.Clone."""

    loaded: Loaded
    rows: int
    checked: int | None
    unlike: tuple[str, ...] | None
    masked: tuple[str, ...]


@contextlib.contextmanager
def opened_source(target: Target, data: bool, sample: int | None) -> Iterator[Source]:
    """Raises as database.connect."""
    target = target.held()
    with database.connect(target) as connection:
        history = [table for table in read_tables(connection, None, history=True) if table.schema == HISTORY]
        rows = own_tables(connection, TAKEN) if data else []
        tables = (*history, *rows)
        known = [table.rows for table in rows if table.rows is not None]
        count = sum(min(n, sample) if sample else n for n in known) if len(known) == len(rows) else None
        amount = Amount(len(rows), count, sum(_size(table, sample) for table in rows))
        yield Source(target, connection, tables, amount, data, sample)


def own_tables(connection: Connection, also: Collection[str] = ()) -> list[SourceTable]:
    """The tables of a database that neither the platform nor an extension made, and those of the platform in `also`."""
    members = {oid for (oid,) in connection.execute(_MEMBERS).fetchall()}
    found = [table for table in read_tables(connection, None) if table.oid not in members]
    return [table for table in found if table.schema not in MANAGED_SCHEMAS or table.label in also]


def _size(table: SourceTable, sample: int | None) -> int:
    few = sample is not None and table.rows and table.rows > sample
    return table.size * (sample or 0) // (table.rows or 1) if few else table.size


@dataclass(frozen=True)
class Reading:
    """A source as of one moment. snapshot: its id there. catalog, before, after: its schema, and what pg_dump makes of
    that for before and after the rows, read beside what is done here; None without a pg_dump.
    """

    source: Source
    snapshot: str
    pool: ThreadPoolExecutor
    catalog: Future[Catalog]
    before: Future[str] | None
    after: Future[str] | None


@contextlib.contextmanager
def begun_reading(settings: Settings, source: Source, steps: Steps) -> Iterator[Reading]:
    """For as long as the block runs. Begun before there is a database to fill: it takes as long to make one."""
    with one_snapshot(source.connection):
        ((moment,),) = source.connection.execute("select pg_export_snapshot()").fetchall()
        program = pg_dump_or_none(settings, source.major, steps)
        with ThreadPoolExecutor(3) as pool:
            catalog = pool.submit(snapshot, source.connection)
            dumps = [
                pool.submit(_dumped, settings, source.target, moment, program, section) if program else None
                for section in ("pre-data", "post-data")
            ]
            yield Reading(source, moment, pool, catalog, *dumps)


def _dumped(settings: Settings, target: Target, moment: str, program: PgDump, section: str) -> str:
    objects = "--no-large-objects" if program.major >= 16 else "--no-blobs"
    options = (f"--snapshot={moment}", f"--section={section}", objects, *without_platform())
    env = settings.child_env(**target.environment())
    done = process.run(program.command(target, *options), env=env, kill_with_parent=True)
    if done.code != 0:
        why = "\n".join(done.stderr.strip().splitlines()[:4])
        hint = "use a role that may read everything: on Supabase, postgres"
        raise PromthctlError(f"The schema of {target.label} could not be read; {_AS_BEFORE}", why, hint)
    return done.stdout


def copy_live(settings: Settings, reading: Reading, new: Filling, masks: Masks, steps: Steps) -> Copied:
    """Fill a fresh database. Raises PromthctlError for what could not be copied, or came out otherwise."""
    import psycopg

    assert new.superuser_url
    source = reading.source
    with (
        psycopg.connect(new.access.db_url, autocommit=True) as own,
        psycopg.connect(new.superuser_url, autocommit=True) as high,
    ):
        if source.major > (here := own.info.server_version // 10000):
            why = f"it is PostgreSQL {source.major}, and the local stack's is {here}"
            hint = (
                f"write in pyproject.toml:\n[tool.promthctl]\npostgres = {source.major}\n"
                "then promthctl local up, and the same command again"
            )
            raise RefusedError(f"{source.target.label} was not cloned; {_AS_BEFORE}", why, hint)
        return _Copying(settings, reading, own, high, masks, steps).run()


class _Copying:
    def __init__(
        self,
        settings: Settings,
        reading: Reading,
        own: Connection,
        high: Connection,
        masks: Masks,
        steps: Steps,
    ) -> None:
        self._settings, self._reading, self._own, self._high = settings, reading, own, high
        self._source, self._masks, self._steps = reading.source, masks, steps
        self._loader = Loader(own, high, masks, _AS_BEFORE, rows=False)
        self._oldest = min(self._source.major, own.info.server_version // 10000)

    def run(self) -> Copied:
        source, reading = self._source, self._reading
        with self._steps.step("Making the schema"):
            actual = reading.catalog.result()
            if reading.before is not None:
                self._load(reading.before.result())
            else:
                self._draft()
        copied = RowCopy(
            source.connection, self._high, source.tables, source.sample, self._masks.expressions(), self._refused, True
        )
        with self._steps.step("Copying rows" if source.data else "Copying the history") as update:
            copied.copy(update, positions=source.data)
            objects = source.data and source.sample is None and self._large_objects()
        self._queries = self._plan_sums(copied)
        sums = reading.pool.submit(self._sums_of_source) if source.sample is None else None
        with self._steps.step("Making indexes, constraints and triggers"):
            if reading.after is not None:
                self._load(reading.after.result())
            differences = compare(actual, snapshot(self._own))
            unlike = tuple(equalise(self._own, self._high, actual, differences))
            for (name,) in self._own.execute(_EMPTY_VIEWS).fetchall():
                self._own.execute(f"refresh materialized view {name}".encode())
        with self._steps.step("Comparing the copy with its source"):
            checked = self._check(copied, sums)
            if unmasked := self._masks.check(self._high):
                raise self._differs(unmasked[0], f"{unmasked[1]:,} values are not masked")
            if objects:
                self._check_objects()
        loaded = self._loader.loaded
        loaded.left_out += [one for one in copied.left_out if one not in loaded.left_out]
        masked = tuple(f"{mask.table}.{mask.column}" for mask in self._masks.asked())
        rows = sum(rows for table, rows in copied.counts.items() if not table.startswith(f"{HISTORY}."))
        return Copied(loaded, rows, checked, unlike, masked)

    def _load(self, schema: str) -> None:
        self._loader.load(io.BytesIO(schema.encode()), "the schema", lambda _: None)

    def _draft(self) -> None:
        """The schema without pg_dump: what the diff engine writes, tried in a throw-away database first."""
        source = self._source.target
        cli = supabase_cli.find_database_cli(self._settings, self._steps)
        privileges = shadow.default_privileges_of(self._source.connection) or ()
        with shadow.trial_database(self._settings, self._source.major, privileges) as made:
            before = read_state(made.target)
            drafted = forward(made, before, cli.diff(made.target, source).sql, read_state(source))
        self._make_history()
        for part in drafted.parts:
            with self._own.transaction():
                run(self._own, part)

    def _make_history(self) -> None:
        """The tables of the history as the source has them; the diff engine leaves them out."""
        self._own.execute(f"create schema if not exists {HISTORY}".encode())
        for table in self._source.tables:
            if table.schema == HISTORY:
                rows = self._source.connection.execute(
                    "select format('%%I %%s', attname, format_type(atttypid, atttypmod)) from pg_attribute"
                    " where attrelid = %s and attnum > 0 and not attisdropped order by attnum",
                    (table.oid,),
                ).fetchall()
                columns = ", ".join(column for (column,) in rows)

                keys = [f", primary key ({name})" for name in ("version", "path") if name in table.columns]
                self._own.execute(f"create table {table.quoted} ({columns}{''.join(keys)})".encode())

    def _refused(self, table: SourceTable, error: psycopg.Error) -> None:
        masked = ", ".join(f"{table.label}.{column}" for column in sorted(self._masks.of(table.label)))
        schema_alone = "leave --data out: the schema and the history are copied without rows"
        hint = f"leave its masks out ({masked}), if they are why; or {schema_alone}" if masked else schema_alone
        what, why = f"The rows of {table.label} could not be copied; {_AS_BEFORE}", first_line(error)
        if error.sqlstate == DISK_FULL:
            raise PromthctlError(what, why, MORE_ROOM) from None
        raise PromthctlError(what, why, hint) from None

    def _large_objects(self) -> bool:
        """True where there are any."""
        import psycopg

        source, found = self._source.connection, False
        ((reader,),) = source.execute("select quote_ident(current_user)").fetchall()
        for (oid,) in source.execute(_OBJECTS).fetchall():
            found, offset = True, 0
            self._high.execute("select lo_create(%s)", (oid,))
            self._high.execute(f"alter large object {oid} owner to postgres".encode())
            try:
                with source.transaction():
                    while chunk := source.execute("select lo_get(%s, %s, %s)", (oid, offset, _CHUNK)).fetchone()[0]:  # type: ignore[index]
                        self._high.execute("select lo_put(%s, %s, %s)", (oid, offset, chunk))
                        offset += len(chunk)
            except psycopg.Error as error:
                why = first_line(error)
                raise PromthctlError(
                    f"The large object {oid} could not be copied; {_AS_BEFORE}",
                    why,
                    f"as its owner: grant select on large object {oid} to {reader}; or clone as the role that owns all",
                ) from None
        return found

    def _sums_of_source(self) -> dict[str, comparing.Sum]:
        """Asked beside what is done here, by another session with the same snapshot."""
        source = self._source
        with database.connect(source.target) as connection, connection.transaction(force_rollback=True):
            connection.execute("set transaction isolation level repeatable read read only")
            connection.execute(f"set transaction snapshot '{self._reading.snapshot}'".encode())
            comparing.spell(connection)
            connection.execute("set local row_security = off")
            connection.execute("set local statement_timeout = 0")
            found = {}
            for table, (asked, _) in self._queries.items():
                found[table] = comparing.add_up(connection, asked, self._oldest)
            return found

    def _plan_sums(self, copied: RowCopy) -> dict[str, tuple[str, str]]:
        """By table, what the source and the copy are asked."""
        instead = self._masks.expressions()
        tables = [table for table in self._source.tables if table.label in copied.counts]
        plans = ((table.label, comparing.plan(self._high, table, instead)) for table in tables)
        return {label: plan for label, plan in plans if plan}

    def _check(self, copied: RowCopy, sums: Future[dict[str, comparing.Sum]] | None) -> int | None:
        """How many tables were seen to be as in the source; None for a sample, whose numbers of rows alone are."""
        comparing.spell(self._high)
        wanted = sums.result() if sums else {}
        for label, (_, asked) in self._queries.items():
            there = comparing.add_up(self._high, asked, self._oldest)
            if sums and there != wanted[label]:
                rows = wanted[label].rows
                why = f"{there.rows:,} rows of {rows:,}" if there.rows != rows else "its values are not the source's"
                raise self._differs(label, why)
            if not sums and there.rows != copied.counts[label]:
                raise self._differs(label, f"{there.rows:,} rows, and {copied.counts[label]:,} were copied")
        return sum(not label.startswith(f"{HISTORY}.") for label in wanted) if sums else None

    def _check_objects(self) -> None:
        (wanted,) = self._source.connection.execute(_SUM_OF_OBJECTS).fetchall()
        (there,) = self._high.execute(_SUM_OF_OBJECTS).fetchall()
        if wanted != there:
            raise self._differs("the large objects", f"{there[0]} with another checksum than the {wanted[0]} there")

    def _differs(self, name: str, why: str) -> PromthctlError:
        what = f"The copy of {self._source.target.label} is not like it; {_AS_BEFORE}"
        return PromthctlError(
            what, f"{name}: {why}", "run the same command again with --verbose, and report what it says"
        )
