"""The SQL that makes an object as a catalog has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from promthctl.schema.model import Attributes, Catalog, Difference
from promthctl.sql.quoting import literal

_HERE = " in this database"
_GUESTS = "public, anon, authenticated, service_role"
PASSING = " with grant option"


def create_sql(kind: str, name: str, given: Attributes, expected: Catalog) -> str:
    """SQL that makes an object as the expected catalog has it."""
    return lines(_CREATED[kind](name, given, expected), owner_sql(kind, name, given) if given.get("owner") else None)


def owner_sql(kind: str, name: str, given: Attributes) -> str:
    """What the platform's roles own belongs to postgres, whichever of them made it."""
    what = {"tables": "table", "sequences": "sequence", "schemas": "schema"}.get(kind) or str(given.get("kind"))
    if kind == "views":
        what = "materialized view" if given["materialized"] else "view"
    elif given.get("kind") == "foreign table":
        what = "foreign table"
    return f"alter {what} {name} owner to {given.get('owner') or 'postgres'};"


def lines(*statements: str | None) -> str:
    return "\n".join(statement for statement in statements if statement)


def last_part(name: str, given: Attributes) -> str:
    """The last part of the name of a table's column, constraint, trigger or policy."""
    return name[len(str(given["table"])) + 1 :]


def grant_statements(item: str, holder: str, privileges: Sequence[str]) -> list[str]:
    plain = [privilege for privilege in privileges if not privilege.endswith(PASSING)]
    more = [privilege.removesuffix(PASSING) for privilege in privileges if privilege.endswith(PASSING)]
    statements = [f"grant {', '.join(plain)} on {item} to {holder};"] if plain else []
    return statements + ([f"grant {', '.join(more)} on {item} to {holder} with grant option;"] if more else [])


def privileges_of_new(item: str, expected: Catalog) -> str:
    """The privileges of a new object, after those that the default privileges gave are revoked."""
    statements = [f"revoke all on {item} from {_GUESTS};"]
    for name, given in sorted(expected.of("grants").items()):
        what, _, holder = name.rpartition(" to ")
        if what == item:
            columns = [f"{privilege} ({', '.join(names)})" for privilege, names in given.get("columns", {}).items()]
            passed = [f"{privilege} with grant option" for privilege in given.get("grantable", ())]
            statements += grant_statements(item, holder, [*given["privileges"], *columns, *passed])
    return "\n".join(statements)


# making --------------------------------------------------------------------------------------------------------------


def _role(name: str, given: Attributes, expected: Catalog) -> str:
    flags = [flag for flag in ("superuser", "bypassrls", "createrole", "createdb") if given[flag]]
    groups = [f"grant {group} to {name};" for group in given["member_of"]]
    settings = [setting_sql(name, setting, value) for setting, value in given.get("settings", {}).items()]
    return lines(f"create role {' '.join([name, *flags])};", *groups, *settings)


def setting_sql(role: str, name: str, value: str | None) -> str:
    """Set a role's setting, or reset it; in the database at hand where the name says so."""
    setting = name.removesuffix(_HERE)
    listed = value is not None and ("," in value or '"' in value or setting == "search_path")  # names, quoted already
    change = f"reset {setting}" if value is None else f"set {setting} to {value if listed else literal(value)}"
    if setting == name:
        return f"alter role {role} {change};"
    text = literal(f"alter role {role} in database %I {change.replace('%', '%%')}")
    return f"do $promthctl$ begin execute format({text}, current_database()); end $promthctl$;"


def _schema(name: str, given: Attributes, expected: Catalog) -> str:
    return lines(f"create schema if not exists {name};", privileges_of_new(f"schema {name}", expected))


def _ddl(name: str, given: Attributes, expected: Catalog) -> str:
    return str(given["ddl"])


def _type(name: str, given: Attributes, expected: Catalog) -> str:
    if given["kind"] == "enum":
        return f"create type {name} as enum ({', '.join(map(literal, given['values'] or ()))});"
    if given["kind"] == "composite":
        return f"create type {name} as ({', '.join(given['attributes'] or ())});"
    if given["kind"] == "range":
        return f"create type {name} as range (subtype = {given['subtype']});"
    default = f" default {given['default']}" if given["default"] is not None else ""
    checks = "".join(f" constraint {check} {text}" for check, text in given["checks"].items())
    return f"create domain {name} as {given['base']}{default}{' not null' if given['not_null'] else ''}{checks};"


def _sequence(name: str, given: Attributes, expected: Catalog) -> str:
    return lines(
        f"create sequence if not exists {name} {sequence_options(given)};",
        privileges_of_new(f"sequence {name}", expected),
    )


def sequence_options(given: Attributes) -> str:
    cycle = "cycle" if given["cycle"] else "no cycle"
    return (
        f"as {given['type']} increment by {given['increment']} minvalue {given['min']} maxvalue {given['max']}"
        f" start with {given['start']} cache {given['cache']} {cycle}"
    )


def _function(name: str, given: Attributes, expected: Catalog) -> str:
    if given["ddl"] is None:
        return f"-- {name} is an aggregate: make it again as its migration does"
    # Its body may mention tables that are made after it.
    return lines(
        "set check_function_bodies = off;",
        f"{given['ddl'].rstrip()};",
        "reset check_function_bodies;",
        privileges_of_new(f"{given['kind']} {name}", expected),
    )


def missing_table(name: str, given: Attributes, expected: Catalog, children: Sequence[Difference]) -> str:
    if given["kind"] == "foreign table":
        return f"-- {name} is a foreign table: make it again as its migration does"
    made = [_table(name, given, expected)]
    rank = {"PRIMARY": 0, "UNIQUE": 1, "CHECK": 2}
    for kind in ("constraints", "indexes", "triggers", "rules", "rls", "policies", "publications"):
        own = [child for child in children if child.kind == kind and child.expected is not None]
        own.sort(key=lambda child: rank.get(str((child.expected or {}).get("definition")).split(" ")[0], 3))
        for child in own:
            if kind != "rls" or any((child.expected or {}).values()):
                made.append(create_sql(kind, child.name, child.expected or {}, expected))
    for sequence, attributes in expected.of("sequences").items():
        if str(attributes["owned_by"]).rpartition(".")[0] == name:
            made.append(f"alter sequence {sequence} owned by {attributes['owned_by']};")
    if given["replica_identity"] != "default":
        made.append(f"alter table {name} replica identity {given['replica_identity']};")
    owner = owner_sql("tables", name, given) if given.get("owner") else None
    return lines(*made, privileges_of_new(f"table {name}", expected), owner)


def _table(name: str, given: Attributes, expected: Catalog) -> str:
    columns = sorted(
        ((key, column) for key, column in expected.of("columns").items() if column["table"] == name),
        key=lambda entry: int(entry[1]["place"]),
    )
    body = ",\n".join(f"  {_column_clause(key, column)}" for key, column in columns)
    head = f"create {'unlogged ' if given['persistence'] == 'unlogged' else ''}table if not exists {name}"
    tail = f" partition by {given['partition_key']}" if given["partition_key"] else ""
    if given["partition_bound"]:
        return f"{head} partition of {given['parents'][0]} {given['partition_bound']}{tail};"
    inherits = f" inherits ({', '.join(given['parents'])})" if given["parents"] else ""
    return f"{head} (\n{body}\n){inherits}{tail};"


def _column_clause(name: str, given: Attributes) -> str:
    parts = [last_part(name, given), str(given["type"])]
    if given["collation"]:
        parts.append(f"collate {given['collation']}")
    if given["default"] is not None:
        parts.append(f"default {given['default']}")
    if given["generated"] is not None:
        parts.append(f"generated always as ({given['generated']}) {'virtual' if given['virtual'] else 'stored'}")
    if given["identity"]:
        parts.append(f"generated {given['identity']} as identity")
    return " ".join([*parts, *(["not null"] if given["not_null"] else [])])


def _column(name: str, given: Attributes, expected: Catalog) -> str:
    return f"alter table {given['table']} add column if not exists {_column_clause(name, given)};"


def _constraint(name: str, given: Attributes, expected: Catalog) -> str:
    return f"alter table {given['table']} add constraint {last_part(name, given)} {given['definition']};"


def _view(name: str, given: Attributes, expected: Catalog) -> str:
    options = f" with ({', '.join(given['options'])})" if given["options"] else ""
    kind = "materialized view" if given["materialized"] else "view"
    own = [
        create_sql(sort, key, attributes, expected)
        for sort in ("indexes", "triggers", "rules")
        for key, attributes in sorted(expected.of(sort).items())
        if attributes["table"] == name
    ]
    definition = str(given["definition"]).strip().removesuffix(";")
    own += [column_default(name, column, value) for column, value in given.get("defaults", {}).items()]
    return lines(f"create {kind} {name}{options} as\n{definition};", privileges_of_new(f"table {name}", expected), *own)


def column_default(view: str, column: str, value: str | None) -> str:
    change = "drop default" if value is None else f"set default {value}"
    return f"alter view {view} alter column {column} {change};"


def _index(name: str, given: Attributes, expected: Catalog) -> str:
    return f"{given['definition']};"


def _trigger(name: str, given: Attributes, expected: Catalog) -> str:
    verb = {"disabled": "disable", "replica": "enable replica", "always": "enable always"}.get(given["enabled"])
    switch = f"alter table {given['table']} {verb} trigger {last_part(name, given)};" if verb else None
    return lines(f"{given['definition']};", switch)


def _rule(name: str, given: Attributes, expected: Catalog) -> str:
    verb = {"disabled": "disable", "replica": "enable replica", "always": "enable always"}.get(given["enabled"])
    switch = f"alter table {given['table']} {verb} rule {last_part(name, given)};" if verb else None
    return lines(f"{str(given['definition']).removesuffix(';')};", switch)


def _comment(name: str, given: Attributes, expected: Catalog) -> str:
    return comment_sql(name, given["text"])


def comment_sql(name: str, text: str | None) -> str:
    """name: as pg_identify_object names an object; its words for a column or a constraint are not those of COMMENT."""
    for sort, word in (("table column", "column"), ("table constraint", "constraint"), ("view column", "column"),
                       ("materialized view column", "column"), ("foreign table column", "column"),
                       ("composite type column", "column"), ("domain constraint", "constraint")):  # fmt: skip
        if name.startswith(f"{sort} "):
            name = word + name.removeprefix(sort)
    return f"comment on {name} is {'null' if text is None else literal(text)};"


def _rls(name: str, given: Attributes, expected: Catalog) -> str:
    return lines(
        f"alter table {name} {'enable' if given['enabled'] else 'disable'} row level security;",
        f"alter table {name} {'force' if given['forced'] else 'no force'} row level security;",
    )


def _policy(name: str, given: Attributes, expected: Catalog) -> str:
    kind = "" if given["permissive"] else " as restrictive"
    using = f"\n  using ({given['using']})" if given["using"] is not None else ""
    check = f"\n  with check ({given['check']})" if given["check"] is not None else ""
    head = f"create policy {last_part(name, given)} on {given['table']}{kind}"
    return f"{head} for {given['command']} to {', '.join(given['roles'])}{using}{check};"


def published(given: Attributes) -> str:
    return ", ".join(verb for verb in ("insert", "update", "delete", "truncate") if given[verb])


def _publication(name: str, given: Attributes, expected: Catalog) -> str:
    publication, _, table = name.partition(": ")
    if table:
        columns = f" ({', '.join(given['columns'])})" if given["columns"] else ""
        where = f" where ({given['where']})" if given["where"] else ""
        return f"alter publication {publication} add table {table}{columns}{where};"
    tables = " for all tables" if given["all_tables"] else ""
    return f"create publication {name}{tables} with (publish = '{published(given)}');"


def _event_trigger(name: str, given: Attributes, expected: Catalog) -> str:
    tags = f" when tag in ({', '.join(map(literal, given['tags']))})" if given["tags"] else ""
    verb = {"disabled": "disable", "replica": "enable replica", "always": "enable always"}.get(given["enabled"])
    switch = f"alter event trigger {name} {verb};" if verb else None
    made = f"create event trigger {name} on {given['event']}{tags} execute function {given['function']};"
    return lines(made, switch)


_CREATED: dict[str, Callable[[str, Attributes, Catalog], str]] = {
    "roles": _role,
    "schemas": _schema,
    "extensions": _ddl,
    "types": _type,
    "sequences": _sequence,
    "functions": _function,
    "tables": _table,
    "columns": _column,
    "constraints": _constraint,
    "views": _view,
    "indexes": _index,
    "triggers": _trigger,
    "rules": _rule,
    "rls": _rls,
    "policies": _policy,
    "publications": _publication,
    "event_triggers": _event_trigger,
    "comments": _comment,
}
