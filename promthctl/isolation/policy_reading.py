"""What policies, functions and views ask about: columns with what they are compared with, tables, the caller's claims.

Functions in SQL and PL/pgSQL are followed to any depth; an argument's columns stand for the parameter. Where a name
could mean several columns, all are taken: too many values are tried rather than too few.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from promthctl.isolation.conditions import Alternative, alternatives, asks_caller
from promthctl.isolation.syntax_trees import (
    as_number,
    function_name,
    is_a,
    json_chain,
    json_chains,
    parse,
    queries_of,
    setting_named,
    statement_tree,
    walk,
)
from promthctl.isolation.tables import ProbedCatalog, ProbedTable

if TYPE_CHECKING:
    from psycopg import Connection

_FUNCTIONS = """
select n.nspname, p.proname, coalesce(p.proargnames::text[], '{}'), l.lanname,
       coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), pg_get_functiondef(p.oid)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
where l.lanname in ('sql', 'plpgsql') and p.prokind = 'f' and p.oid >= 16384
  and n.nspname not in ('auth', 'storage', 'extensions', 'vault', 'graphql', 'realtime', 'cron', 'net', 'pgmq')
  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
order by 1, 2, p.oid
"""
_DEPTH = 6  # how deep functions are followed

Column = tuple[int, str]  # table's oid, column


@dataclass(frozen=True)
class Comparison:
    """What stands beside a column in one condition. paths: the keys that lead into a JSON column."""

    operators: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    strings: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    paths: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Claim:
    """What is asked of a setting of the request: the keys in it, and the values or columns it should equal."""

    setting: str
    path: tuple[str, ...]
    values: tuple[str, ...]
    columns: tuple[Column, ...] = ()


@dataclass
class Reading:
    """columns: in the order of their mention. joins: pairs that must be equal. callers: columns equal to the caller's
    id, or e-mail address. named: those of them in the expression itself, not in a function that looks the caller up.
    unread: functions that could not be followed."""

    columns: dict[Column, list[Comparison]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[int, None] = field(default_factory=dict)
    claims: dict[Claim, None] = field(default_factory=dict)
    joins: dict[tuple[Column, Column], None] = field(default_factory=dict)
    callers: dict[Column, str] = field(default_factory=dict)
    named: set[Column] = field(default_factory=set)
    unread: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Function:
    schema: str
    name: str
    parameters: tuple[str, ...]
    language: str
    body: str
    definition: str

    @cached_property
    def trees(self) -> list[Any]:
        """The syntax trees of its statements and expressions; empty where they cannot be read."""
        from pglast import parse_plpgsql
        from pglast.parser import ParseError, parse_sql

        if self.language == "sql":
            text = self.body.strip()
            if text.upper().startswith("BEGIN ATOMIC"):
                text = text[len("BEGIN ATOMIC") :].rstrip().removesuffix("END")
            elif text.upper().startswith("RETURN "):
                text = "select " + text[len("RETURN ") :]
            try:
                return [statement.stmt for statement in parse_sql(text)]
            except ParseError:
                return []
        try:
            found = parse_plpgsql(self.definition)
        except (ParseError, json.JSONDecodeError):
            return []
        return [tree for query in queries_of(found) if (tree := statement_tree(query)) is not None]


@dataclass(frozen=True)
class _Argument:
    """What a parameter stands for; a column without a name is the whole row."""

    columns: Sequence[Column]
    strings: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()


class PolicyReader:
    """Reads expressions of one database. Raises psycopg.Error where the functions cannot be read."""

    def __init__(self, connection: Connection[Any], catalog: ProbedCatalog) -> None:
        self._catalog = catalog
        self._functions: dict[str, list[_Function]] = defaultdict(list)
        for row in connection.execute(_FUNCTIONS):
            function = _Function(row[0], row[1], tuple(row[2]), *row[3:])
            self._functions[function.name].append(function)
        self._by_name: dict[str, list[ProbedTable]] = defaultdict(list)
        for table in catalog.tables.values():
            self._by_name[table.name].append(table)
        self._asking: dict[tuple[str, str], bool] = {}
        self._alternatives: dict[str | None, list[Alternative]] = {}
        self._readings: dict[tuple[str, int], Reading] = {}

    def knows_caller(self, schema: str, name: str) -> bool:
        """Whether a function of the user's asks who calls, itself or through others."""
        key = (schema, name)
        if key not in self._asking:
            self._asking[key] = False  # while it is being read: it may call itself
            self._asking[key] = any(
                asks_caller(tree, self.knows_caller) for one in self._named(schema, name) for tree in one.trees
            )
        return self._asking[key]

    def alternatives(self, expression: str | None) -> list[Alternative]:
        """See conditions.py."""
        if expression not in self._alternatives:
            self._alternatives[expression] = alternatives(expression, self.knows_caller)
        return self._alternatives[expression]

    def read(self, expression: str, table: ProbedTable) -> Reading:
        """What an expression about rows of `table` asks about; not to be changed."""
        if (known := self._readings.get((expression, table.oid))) is None:
            known = self._readings[expression, table.oid] = self.read_into(Reading(), expression, table)
        return known

    def read_into(self, reading: Reading, expression: str, table: ProbedTable) -> Reading:
        """Add what an expression about rows of `table` asks about."""
        node = parse(expression)
        if node is not None:
            self._read([node], reading, table, {}, 0)
        return reading

    def read_view(self, definition: str, into: Reading) -> None:
        """What a view's query asks about."""
        tree = statement_tree(definition)
        if tree is not None:
            self._read([tree], into, None, {}, 0)

    def _named(self, schema: str, name: str) -> list[_Function]:
        return [one for one in self._functions.get(name, ()) if schema in ("", one.schema)]

    def _read(
        self,
        trees: Sequence[Any],
        reading: Reading,
        table: ProbedTable | None,
        parameters: Mapping[str, _Argument],
        depth: int,
    ) -> None:
        """table: whose columns names without a table are; None in functions and views."""
        scope = _Scope(self._by_name, table, parameters, trees)
        for oid in scope.tables:
            reading.tables.setdefault(oid)
        for tree in trees:
            for node in walk(tree):
                if is_a(node, "ColumnRef"):
                    for column in scope.columns(node):
                        reading.columns[column]
                elif is_a(node, "A_Expr") or (is_a(node, "CaseExpr", "FuncCall")):
                    self._compare(node, scope, reading)
                if is_a(node, "FuncCall") and depth < _DEPTH:
                    self._follow(node, scope, reading, depth)

    def _follow(self, call: Any, scope: _Scope, reading: Reading, depth: int) -> None:
        for function in self._named(*function_name(call)):
            if not function.trees:
                reading.unread.setdefault(f"{function.schema}.{function.name}")
                continue
            given: dict[str, _Argument] = {}
            for place, argument in enumerate(call.args or ()):
                literals = _comparison(argument, scope)
                found = _Argument(scope.below(argument) or scope.row(argument), literals.strings, literals.numbers)
                given[f"${place + 1}"] = found
                if place < len(function.parameters):
                    given[function.parameters[place]] = found
            self._read(function.trees, reading, None, given, depth + 1)

    def _compare(self, node: Any, scope: _Scope, reading: Reading) -> None:
        columns = list(dict.fromkeys(scope.below(node)))
        comparison, chains = _comparison(node, scope), list(json_chains(node))
        if not columns and scope.loose and (comparison.strings or comparison.numbers):
            columns = scope.all_mentioned  # of a variable: it may hold any of the columns that the function reads
        for column in columns:
            paths = tuple(path for base, path in chains if column in scope.below(base))
            own = Comparison(comparison.operators, comparison.functions,
                             tuple(text for text in comparison.strings if not any(text in path for path in paths)),
                             comparison.numbers, paths)  # fmt: skip
            if own not in reading.columns[column]:
                reading.columns[column].append(own)
        keys = {key for _, path in chains for key in path}
        values = tuple(text for text in comparison.strings if text not in keys and not text.startswith("request."))
        for base, path in chains:
            if (setting := _setting(base)) and not any(len(other) > len(path) and other[: len(path)] == path
                                                       for _, other in chains):  # fmt: skip
                reading.claims.setdefault(Claim(setting, path, values, tuple(columns)))
        if is_a(node, "A_Expr") and any(
            is_a(each, "FuncCall") and function_name(each) == ("auth", "email") for each in walk(node)
        ):
            reading.claims.setdefault(Claim("request.jwt.claims", ("email",), values, tuple(columns)))
        if is_a(node, "A_Expr") and node.name[-1].sval == "=":
            self._equal(node, scope, reading)

    def _equal(self, node: Any, scope: _Scope, reading: Reading) -> None:
        sides = [(side, scope.below(side)) for side in (node.lexpr, node.rexpr)]
        if all(found for _, found in sides):
            for one in sides[0][1]:
                for two in sides[1][1]:
                    if one[0] != two[0]:
                        reading.joins.setdefault((one, two))
        for (_, found), (other, _) in (sides, sides[::-1]):
            if who := _caller(other):
                for column in found:
                    reading.callers.setdefault(column, who)
                    if not scope.loose:
                        reading.named.add(column)


class _Scope:
    """What names mean in one text. tables: that it reads from, by oid."""

    def __init__(
        self,
        by_name: Mapping[str, list[ProbedTable]],
        table: ProbedTable | None,
        parameters: Mapping[str, _Argument],
        trees: Sequence[Any],
    ) -> None:
        self._table, self._parameters, self._trees = table, parameters, trees
        self._aliases: dict[str, list[ProbedTable]] = defaultdict(list)
        self.tables: dict[int, ProbedTable] = {}
        self.loose = table is None  # a function's: its variables stand for columns
        for tree in trees:
            for node in walk(tree):
                if is_a(node, "RangeVar"):
                    meant = [each for each in by_name.get(node.relname, ()) if node.schemaname in (None, each.schema)]
                    self.tables.update({each.oid: each for each in meant})
                    for name in {node.relname, node.alias.aliasname if node.alias else node.relname}:
                        self._aliases[name].extend(meant)
        if table is not None:
            self._aliases[table.name].append(table)

    def columns(self, reference: Any) -> list[Column]:
        """What a column reference means."""
        names = [part.sval for part in reference.fields if is_a(part, "String")]
        if len(names) != len(reference.fields) or not names:
            return []
        name = names[-1]
        if len(names) == 1:
            if name in self._parameters:
                return list(self._parameters[name].columns)
            within = [self._table] if self._table else list(self.tables.values())
        elif names[-2] in self._aliases:
            within = self._aliases[names[-2]]
        elif names[-2] in self._parameters:  # a row's field
            return [(oid, name) for oid, each in self._parameters[names[-2]].columns if not each]
        else:
            within = list(self.tables.values())
        return [(table.oid, name) for table in dict.fromkeys(within) if name in table.column]

    def row(self, argument: Any) -> list[Column]:
        """A whole row as an argument: the table with an empty column name."""
        if not is_a(argument, "ColumnRef"):
            return []
        first = argument.fields[0]
        return [(table.oid, "") for table in self._aliases.get(getattr(first, "sval", ""), ())]

    def below(self, node: Any) -> list[Column]:
        """Every column that is mentioned in it."""
        found = []
        for each in walk(node):
            if is_a(each, "ColumnRef"):
                found += self.columns(each)
            elif is_a(each, "ParamRef"):
                found += self._parameters[f"${each.number}"].columns if f"${each.number}" in self._parameters else []
        return [column for column in found if column[1]]

    def argument(self, node: Any) -> _Argument | None:
        """The argument that a parameter's name or number stands for."""
        if is_a(node, "ParamRef"):
            return self._parameters.get(f"${node.number}")
        if is_a(node, "ColumnRef") and len(node.fields) == 1:
            return self._parameters.get(getattr(node.fields[0], "sval", ""))
        return None

    @property
    def all_mentioned(self) -> list[Column]:
        return list(dict.fromkeys(self.below(self._trees)))


def _comparison(node: Any, scope: _Scope) -> Comparison:
    operators, functions, strings, numbers = set[str](), set[str](), list[str](), list[float]()
    for each in walk(node):
        if is_a(each, "A_Expr"):
            operators.add(each.name[-1].sval)
        elif is_a(each, "FuncCall"):
            functions.add(function_name(each)[1])
        elif argument := scope.argument(each):
            strings += argument.strings
            numbers += argument.numbers
        elif is_a(each, "A_Const") and not each.isnull:
            value = each.val
            if is_a(value, "String"):
                strings.append(value.sval)
                if as_number(value.sval) is not None:
                    numbers.append(float(value.sval))
            elif is_a(value, "Integer"):
                numbers.append(float(value.ival))
            elif is_a(value, "Float"):
                numbers.append(float(value.fval))
    return Comparison(frozenset(operators), frozenset(functions), tuple(dict.fromkeys(strings)),
                      tuple(dict.fromkeys(numbers)))  # fmt: skip


def _setting(base: Any) -> str | None:
    """The setting that a JSON chain begins with: the access token's claims, or another one of the request."""
    for each in walk(base):
        if is_a(each, "FuncCall"):
            if function_name(each) == ("auth", "jwt"):
                return "request.jwt.claims"
            name = setting_named(each)
            if name and name.startswith("request."):
                return name
    return None


def _caller(node: Any) -> str | None:
    """ "id" or "email" where it is the caller's."""
    for each in walk(node):
        if is_a(each, "ColumnRef"):
            return None
        if is_a(each, "FuncCall") and function_name(each) in (("auth", "uid"), ("auth", "email")):
            return {"uid": "id"}.get(function_name(each)[1], "email")
        if is_a(each, "A_Expr") and (path := json_chain(each)[1]) in (("sub",), ("email",)) and _setting(each):
            return "id" if path == ("sub",) else "email"
    return None
