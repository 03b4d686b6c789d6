"""The SQL that removes a difference. Nothing cascades: what something else uses stays, and Postgres names the user."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from promthctl.schema import making
from promthctl.schema.converting import change_of_type
from promthctl.schema.making import PASSING, create_sql, grant_statements, last_part, lines, owner_sql
from promthctl.schema.model import Attributes, Catalog, Difference
from promthctl.sql.quoting import literal

_DROPPED = {
    "schemas": "schema",
    "extensions": "extension",
    "sequences": "sequence",
    "tables": "table",
    "indexes": "index",
    "event_triggers": "event trigger",
}


def fix_sql(one: Difference, expected: Catalog, children: Sequence[Difference] = (), major: int = 17) -> str:
    """SQL to run on the actual side. children: what belongs to a missing table. major: the actual server's version."""
    if one.kind == "grants":
        return _grant(one)
    if one.kind == "default_privileges":
        return _default_privileges(one)
    if one.state == "extra":
        return _drop(one.kind, one.name, one.actual or {})
    whole = expected.of(one.kind)[one.name]
    if one.state == "different" and "owner" in (one.expected or {}):
        rest = [
            {key: value for key, value in (side or {}).items() if key != "owner"} for side in (one.expected, one.actual)
        ]
        others = replace(one, expected=rest[0], actual=rest[1])
        return lines(
            fix_sql(others, expected, children, major) if rest[0] else None, owner_sql(one.kind, one.name, whole)
        )
    if one.kind == "tables" and one.state == "missing":
        return making.missing_table(one.name, whole, expected, children)
    if one.state == "different" and one.kind in _CHANGED:
        return _CHANGED[one.kind](one, whole, expected)
    made = create_sql(one.kind, one.name, whole, expected)
    return made if one.state == "missing" or one.kind == "rls" else f"{_drop(one.kind, one.name, whole)}\n{made}"


# grants --------------------------------------------------------------------------------------------------------------


def _grant(one: Difference) -> str:
    item, _, holder = one.name.rpartition(" to ")
    revoked, given = ((side or {}).get("privileges", ()) for side in (one.actual, one.expected))
    plain = [privilege for privilege in revoked if not privilege.endswith(PASSING)]
    only_passing = [
        privilege.removesuffix(PASSING)
        for privilege in revoked
        if privilege.endswith(PASSING) and privilege.removesuffix(PASSING) not in plain
    ]
    return lines(
        f"revoke {', '.join(plain)} on {item} from {holder};" if plain else None,
        f"revoke grant option for {', '.join(only_passing)} on {item} from {holder};" if only_passing else None,
        *grant_statements(item, holder, given),
    )


def _default_privileges(one: Difference) -> str:
    match = re.fullmatch(r"(\w+) of (.+?)(?: in schema (.+))? to (.+)", one.name)
    assert match is not None
    kind, owner, space, holder = match.groups()
    there, wanted = ((side or {}).get("privileges", ()) for side in (one.actual, one.expected))
    head = f"alter default privileges for role {owner}" + (f" in schema {space}" if space else "")
    extra, missing = [p for p in there if p not in wanted], [p for p in wanted if p not in there]
    return lines(
        f"{head} revoke {', '.join(extra)} on {kind} from {holder};" if extra else None,
        f"{head} grant {', '.join(missing)} on {kind} to {holder};" if missing else None,
    )


# dropping ------------------------------------------------------------------------------------------------------------


def _drop(kind: str, name: str, given: Attributes) -> str:
    if kind == "tables":
        what = "foreign table" if given.get("kind") == "foreign table" else "table"
        return f"drop {what} if exists {name};  -- with its rows"
    if kind in _DROPPED:
        return f"drop {_DROPPED[kind]} if exists {name};"
    if kind == "columns":
        return f"alter table {given['table']} drop column if exists {last_part(name, given)};  -- with its values"
    if kind == "constraints":
        return f"alter table {given['table']} drop constraint if exists {last_part(name, given)};"
    if kind in ("triggers", "policies", "rules"):
        what = {"triggers": "trigger", "policies": "policy", "rules": "rule"}[kind]
        return f"drop {what} if exists {last_part(name, given)} on {given['table']};"
    if kind == "views":
        return f"drop {'materialized ' if given.get('materialized') else ''}view if exists {name};"
    if kind == "functions":
        return f"drop {given.get('kind', 'function')} if exists {name};"
    if kind == "types":
        return f"drop {'domain' if given.get('kind') == 'domain' else 'type'} if exists {name};"
    if kind == "publications" and ": " in name:
        publication, _, table = name.partition(": ")
        return f"alter publication {publication} drop table {table};"
    if kind == "comments":
        return making.comment_sql(name, None)
    if kind == "publications":
        return f"drop publication if exists {name};"
    return f"-- {name}: nothing to drop"  # rls: its table is what is extra


# changing ------------------------------------------------------------------------------------------------------------


def _change_role(one: Difference, whole: Attributes, expected: Catalog) -> str:
    wanted, there = one.expected or {}, one.actual or {}
    flags = [f"{'' if value else 'no'}{flag}" for flag, value in wanted.items() if isinstance(value, bool)]
    groups, present = wanted.get("member_of", ()), there.get("member_of", ())
    before, after = there.get("settings", {}), wanted.get("settings", {})
    changed = [name for name in sorted({**before, **after}) if before.get(name) != after.get(name)]
    return lines(
        f"alter role {one.name} {' '.join(flags)};" if flags else None,
        *(making.setting_sql(one.name, name, after.get(name)) for name in changed),
        *(f"revoke {group} from {one.name};" for group in present if group not in groups),
        *(f"grant {group} to {one.name};" for group in groups if group not in present),
    )


def _change_type(one: Difference, whole: Attributes, expected: Catalog) -> str:
    wanted, there = one.expected or {}, one.actual or {}
    if whole["kind"] == "enum" and set(wanted) == {"values"} and set(there["values"] or ()) <= set(wanted["values"]):
        added, previous = [], ""
        for value in wanted["values"]:
            place = f" after {literal(previous)}" if previous else f" before {literal(there['values'][0])}"
            if value not in there["values"]:
                added.append(f"alter type {one.name} add value if not exists {literal(value)}{place};")
            previous = value
        if added:
            return "\n".join(added)
    if whole["kind"] == "domain" and set(wanted) <= {"default", "not_null", "checks"}:
        return _change_domain(one.name, wanted, there)
    return f"-- {one.name}: Postgres cannot change it in place; make a new type and move the columns that use it"


def _change_domain(name: str, wanted: Attributes, there: Attributes) -> str:
    head = f"alter domain {name}"
    checks, present = wanted.get("checks", {}), there.get("checks", {})
    stale = [check for check in present if present[check] != checks.get(check)]
    new = [check for check in checks if checks[check] != present.get(check)]
    default = wanted.get("default")
    return lines(
        (f"{head} {'drop default' if default is None else f'set default {default}'};" if "default" in wanted else None),
        f"{head} {'set' if wanted['not_null'] else 'drop'} not null;" if "not_null" in wanted else None,
        *(f"{head} drop constraint {check};" for check in stale),
        *(f"{head} add constraint {check} {checks[check]};" for check in new),
    )


def _change_sequence(one: Difference, whole: Attributes, expected: Catalog) -> str:
    return f"alter sequence {one.name} {making.sequence_options(whole)} owned by {whole['owned_by'] or 'none'};"


def _change_function(one: Difference, whole: Attributes, expected: Catalog) -> str:
    if whole["ddl"] is None or {"arguments", "result", "kind"} & set(one.expected or {}):
        before = {"kind": (one.actual or {}).get("kind", whole["kind"])}
        return lines(_drop("functions", one.name, before), create_sql("functions", one.name, whole, expected))
    return f"{whole['ddl'].rstrip()};"


def _change_table(one: Difference, whole: Attributes, expected: Catalog) -> str:
    wanted = one.expected or {}
    if set(wanted) - {"persistence", "replica_identity"}:
        return f"-- {one.name}: Postgres cannot change {', '.join(wanted)} in place; make a new table and move the rows"
    logged = wanted.get("persistence")
    identity = wanted.get("replica_identity")
    return lines(
        f"alter table {one.name} set {logged};" if logged else None,
        f"alter table {one.name} replica identity {identity};" if identity else None,
    )


def _change_column(one: Difference, whole: Attributes, expected: Catalog) -> str:
    wanted, there = one.expected or {}, one.actual or {}
    head = f"alter table {whole['table']}"
    change = f"{head} alter column {last_part(one.name, whole)}"
    statements: list[str] = []
    if {"generated", "virtual"} & set(wanted):
        if whole["generated"] is None and not there.get("virtual"):
            statements.append(f"{change} drop expression;")
        else:
            return lines(_drop("columns", one.name, whole), create_sql("columns", one.name, whole, expected))
    if "identity" in wanted and there["identity"]:
        statements.append(f"{change} drop identity;")
    if {"type", "collation"} & set(wanted):
        old = str(there.get("type", whole["type"]))
        short = last_part(one.name, whole)
        statements.append(change_of_type(whole["table"], short, old, whole["type"], whole["collation"]))
    if {"type", "collation", "default", "generated"} & set(wanted):
        default = whole["default"]
        if whole["generated"] is None and not whole["identity"]:
            statements.append(f"{change} {'drop default' if default is None else f'set default {default}'};")
    if "not_null" in wanted:
        statements.append(f"{change} {'set' if whole['not_null'] else 'drop'} not null;")
    if "identity" in wanted and whole["identity"]:
        statements.append(f"{change} add generated {whole['identity']} as identity;")
    return "\n".join(statements)


def _change_constraint(one: Difference, whole: Attributes, expected: Catalog) -> str:
    wanted, there = one.expected or {}, one.actual or {}
    if set(wanted) == {"enabled"}:
        return f"alter table {whole['table']} enable trigger all;"
    if there.get("definition") == f"{wanted['definition']} NOT VALID":
        return f"alter table {whole['table']} validate constraint {last_part(one.name, whole)};"
    return lines(_drop("constraints", one.name, whole), create_sql("constraints", one.name, whole, expected))


def _change_view(one: Difference, whole: Attributes, expected: Catalog) -> str:
    wanted, there = one.expected or {}, one.actual or {}
    if set(wanted) == {"defaults"}:
        columns = sorted({**there["defaults"], **wanted["defaults"]})
        return lines(*(making.column_default(one.name, name, wanted["defaults"].get(name)) for name in columns))
    if set(wanted) == {"options"} and not whole["materialized"]:
        stale = [entry.partition("=")[0] for entry in there["options"] if entry not in wanted["options"]]
        return lines(
            f"alter view {one.name} reset ({', '.join(stale)});" if stale else None,
            f"alter view {one.name} set ({', '.join(wanted['options'])});" if wanted["options"] else None,
        )
    before = {"materialized": there.get("materialized", whole["materialized"])}
    return lines(_drop("views", one.name, before), create_sql("views", one.name, whole, expected))


def _change_index(one: Difference, whole: Attributes, expected: Catalog) -> str:
    if set(one.expected or {}) == {"valid"}:
        return f"reindex index {one.name};"
    return lines(_drop("indexes", one.name, whole), create_sql("indexes", one.name, whole, expected))


def _change_trigger(one: Difference, whole: Attributes, expected: Catalog) -> str:
    if set(one.expected or {}) != {"enabled"}:
        return lines(_drop("triggers", one.name, whole), create_sql("triggers", one.name, whole, expected))
    verb = {"enabled": "enable", "disabled": "disable", "replica": "enable replica"}.get(
        whole["enabled"], "enable always"
    )
    return f"alter table {whole['table']} {verb} trigger {last_part(one.name, whole)};"


def _change_publication(one: Difference, whole: Attributes, expected: Catalog) -> str:
    if ": " not in one.name and "all_tables" not in (one.expected or {}):
        return f"alter publication {one.name} set (publish = '{making.published(whole)}');"
    return lines(_drop("publications", one.name, whole), create_sql("publications", one.name, whole, expected))


_CHANGED: dict[str, Callable[[Difference, Attributes, Catalog], str]] = {
    "roles": _change_role,
    "types": _change_type,
    "sequences": _change_sequence,
    "functions": _change_function,
    "tables": _change_table,
    "columns": _change_column,
    "constraints": _change_constraint,
    "views": _change_view,
    "indexes": _change_index,
    "triggers": _change_trigger,
    "publications": _change_publication,
}
