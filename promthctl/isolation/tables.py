"""The tables of a database as the isolation proof needs them: columns, keys, checks, policies, triggers, rights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from psycopg import sql

CLIENT_ROLES = ("anon", "authenticated")
API_ROLES = (*CLIENT_ROLES, "service_role")


@dataclass(frozen=True)
class ColumnType:
    """A data type; a domain is its base type with the domain's name and checks.

    kind: pg_type.typtype, b(ase), e(num), c(omposite), r(ange) or m(ultirange). modifier: atttypmod, -1 for none.
    labels: of an enum. element: of an array. fields: number of columns of a composite. checks: of the domain.
    """

    name: str
    kind: str = "b"
    modifier: int = -1
    labels: tuple[str, ...] = ()
    element: ColumnType | None = None
    fields: int = 0
    domain: str | None = None
    checks: tuple[str, ...] = ()
    not_null: bool = False


@dataclass(frozen=True)
class ProbedColumn:
    """sql_type: as a cast spells it. default: the expression. identity: '', 'a'(lways) or 'd' (by default)."""

    name: str
    type: ColumnType
    sql_type: str
    not_null: bool = False
    default: str | None = None
    identity: str = ""
    generated: bool = False

    @property
    def required(self) -> bool:
        """Whether an insert must name it."""
        return (self.not_null or self.type.not_null) and not (self.default or self.identity or self.generated)

    @property
    def sequence(self) -> bool:
        """Whether its default draws from a sequence, which no rollback undoes."""
        return bool(self.identity) or "nextval(" in (self.default or "")


@dataclass(frozen=True)
class ForeignKey:
    """target: the referenced table's oid; columns[i] refers to target_columns[i]."""

    name: str
    columns: tuple[str, ...]
    target: int
    target_columns: tuple[str, ...]
    deferrable: bool = False


@dataclass(frozen=True)
class UniqueIndex:
    """A unique or exclusion index. usable: an upsert can name it: no predicate, no expression, not deferrable."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False
    usable: bool = True


@dataclass(frozen=True)
class CheckConstraint:
    """A check constraint; the name is empty for what a partition's bounds demand."""

    name: str
    columns: tuple[str, ...]
    definition: str


@dataclass(frozen=True)
class Policy:
    """command: SELECT, INSERT, UPDATE, DELETE or ALL. roles: the API roles it is for. condition: both expressions.

    columns: the table's own columns that the expressions name. using, check: the expressions, as pg_get_expr has them.
    """

    name: str
    command: str
    permissive: bool
    roles: frozenset[str]
    condition: str
    columns: frozenset[str]
    using: str | None = None
    check: str | None = None

    def opens(self, command: str) -> bool:
        """Whether it may let somebody try the command; one that says `false` is written down to let in nobody."""
        expression = (self.check or self.using) if command == "INSERT" else self.using
        return self.permissive and self.command in (command, "ALL") and expression != "false"


@dataclass(frozen=True)
class Trigger:
    """An enabled trigger; source: the body of its function."""

    name: str
    function: str
    language: str
    source: str


@dataclass(frozen=True, eq=False)
class ProbedTable:
    """kind: pg_class.relkind, r(egular), p(artitioned) or f(oreign).

    partition: of another table. exposed: in a schema that clients reach, and not an extension's. rights: (role,
    privilege) → the columns it is held on; whole: the (role, privilege) pairs held on the table as such.
    """

    oid: int
    schema: str
    name: str
    kind: str
    rls: bool
    partition: bool
    exposed: bool
    extension: str | None
    columns: tuple[ProbedColumn, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    uniques: tuple[UniqueIndex, ...] = ()
    checks: tuple[CheckConstraint, ...] = ()
    policies: tuple[Policy, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rights: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    whole: frozenset[tuple[str, str]] = frozenset()

    @property
    def label(self) -> str:
        """The name to show: without the schema where that is public."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @cached_property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @cached_property
    def column(self) -> dict[str, ProbedColumn]:
        return {column.name: column for column in self.columns}

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        return next((unique.columns for unique in self.uniques if unique.primary), ())

    def may(self, role: str, privilege: str) -> bool:
        """Whether `role` holds the privilege on the table or on any of its columns."""
        return bool(self.rights.get((role, privilege))) or (role, privilege) in self.whole

    def lets(self, role: str, command: str) -> bool:
        """Whether `role` may try the command: it holds the privilege and, under RLS, some policy is for it."""
        return self.may(role, command) and (
            not self.rls or any(role in p.roles and p.opens(command) for p in self.policies)
        )


@dataclass(frozen=True)
class ProbedView:
    """A view that API roles may read. tables: the oids of the tables it shows, through other views too.

    kind: pg_class.relkind, v(iew) or m(aterialized). roles: those that may read it. definition: its query.
    """

    schema: str
    name: str
    kind: str
    roles: frozenset[str]
    tables: frozenset[int]
    definition: str

    @property
    def label(self) -> str:
        """As a table's."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class ProbedCatalog:
    """Every table outside the system's schemas, by oid; users: auth.users, if there. views: those clients may read."""

    tables: Mapping[int, ProbedTable]
    users: ProbedTable | None
    views: tuple[ProbedView, ...] = ()

    @property
    def exposed(self) -> tuple[ProbedTable, ...]:
        return tuple(table for table in self.tables.values() if table.exposed)
