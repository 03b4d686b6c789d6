"""What the pending migrations open: who can read or write more afterwards than before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from promthctl.migration_set import Migration
from promthctl.rehearsal.model import Finding
from promthctl.rehearsal.observer import Content
from promthctl.rehearsal.replay import Step
from promthctl.rehearsal.rights import Policy, Relation, Rights

_CLIENTS = ("anon", "authenticated")
_VERBS = {"SELECT": "read", "INSERT": "add", "UPDATE": "change", "DELETE": "delete"}
_LETTERS = {"r": ("SELECT",), "a": ("INSERT",), "w": ("UPDATE",), "d": ("DELETE",), "*": tuple(_VERBS)}
_MAY_OPEN = re.compile(r"\b(?:policy|grant|security|owner|role|privileges|execute)\b", re.IGNORECASE)
_LISTED = 6


def may_open(files: Sequence[Migration]) -> bool:
    """Whether their text has anything in it that changes what policies allow."""
    return any(_MAY_OPEN.search(file.sql) for file in files)


def find_openings(before: Rights, after: Rights, steps: Sequence[Step], end: Mapping[int, Content]) -> list[Finding]:
    """What is open afterwards and was not before, the widest first; each with the statement that it comes from.

    end: the tables with their rows afterwards: in an empty one a policy cannot be tried.
    """
    empty = {oid for oid, content in end.items() if not content.rows}
    told = [
        *_roles(before, after),
        *_tables(before, after),
        *_owners(before, after),
        *_policies(before, after, empty),
        *_views(before, after),
        *_functions(before, after),
    ]
    return [Finding("opens", *_place(steps, words), subject, what) for subject, what, words in told]


_Told = tuple[str, str, Sequence[str]]  # the object, what is open, words that its statement has in it


def _roles(before: Rights, after: Rights) -> Iterator[_Told]:
    for role, (superuser, bypass) in after.attributes.items():
        was = before.attributes.get(role, (False, False))
        if superuser and not was[0]:
            yield role, f"{role} becomes a superuser", (role, "superuser")
        elif bypass and not was[1]:
            yield role, f"{role} can read and write every row: row-level security no longer applies to it", (role,)
    for (role, group), (superuser, bypass) in after.members.items():
        if (role, group) not in before.members and role in before.attributes:
            more = "is a superuser" if superuser else "row-level security does not apply to" if bypass else ""
            yield role, f"{role} can act as {group}{', which ' + more if more else ''}", (group, role)


def _tables(before: Rights, after: Rights) -> Iterator[_Told]:
    """Rights on tables and views: new ones, and those that no policy limits any more."""
    opened: dict[tuple[str, int], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (oid, role, command), level in after.levels.items():
        relation = after.relations.get(oid)
        if relation is None or level <= before.levels.get((oid, role, command), 0):
            continue
        fresh = oid not in before.relations
        if fresh and (level < 2 or role not in _CLIENTS or relation.kind in "vm"):
            continue  # a new table under policies, or one for the server alone; views are told below
        opened[role, level][oid].append(command)
    for (role, level), tables in opened.items():
        by_commands: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for oid, found in tables.items():
            by_commands[tuple(one for one in _VERBS if one in found)].append(oid)
        for commands, oids in by_commands.items():
            names = [after.relations[oid].name for oid in sorted(oids, key=lambda oid: after.relations[oid].name)]
            rows = "every row" if level == 2 else "the rows that policies allow"
            verbs = _and([_VERBS[one] for one in commands])
            yield names[0], f"{role} can {verbs} {rows} of {_some(names)}", (role, names[0].rpartition(".")[2])


def _owners(before: Rights, after: Rights) -> Iterator[_Told]:
    for oid, relation in after.relations.items():
        was = before.relations.get(oid)
        if was and was.owner != relation.owner:
            yield (
                relation.name,
                f"{relation.owner} owns {relation.name} now, not {was.owner}",
                ("owner", relation.owner),
            )


def _policies(before: Rights, after: Rights, empty: Collection[int]) -> Iterator[_Told]:
    """Where policies changed: how many of the rehearsal's rows are reached, as somebody who owns one of them."""
    changed: dict[int, list[str]] = defaultdict(list)
    for key in {*before.policies, *after.policies}:
        if (
            before.policies.get(key) != after.policies.get(key)
            and key[0] in before.relations
            and key[0] in after.relations
        ):
            changed[key[0]].append(key[1])
    for (oid, role, command), count in after.reached.items():
        was = before.reached.get((oid, role, command), 0)
        if count > was and (oid in changed or before.levels.get((oid, role, command)) == 1):
            table = after.relations[oid].name
            who = "anon" if role == "anon" else "a signed-in user"
            what = f"{who} can {_VERBS[command]} {count} of the rehearsal's rows of {table}, not {was}"
            yield table, what, changed.get(oid, [table.rpartition(".")[2]])
    for oid, names in changed.items():
        commands = tuple(_VERBS) if oid in empty else ("INSERT",)
        yield from _by_their_text(before, after, oid, names, commands)


def _by_their_text(
    before: Rights, after: Rights, oid: int, names: Iterable[str], commands: Iterable[str]
) -> Iterator[_Told]:
    """What changed policies say, for commands that cannot be tried with rows that are there."""
    table = after.relations[oid].name
    for name in names:
        now, was = after.policies.get((oid, name)), before.policies.get((oid, name))
        for command in commands:
            if now is None or not now.permissive or command not in _LETTERS[now.command]:
                continue
            condition, earlier = _condition(now, command), _condition(was, command) if was else None
            roles = [role for role in _clients(now) if (oid, role, command) in after.levels]
            if roles and (was is None or condition != earlier or now.roles != was.roles):
                verb = f"{_VERBS[command]} rows {'to' if command == 'INSERT' else 'of'} {table}"
                yield table, f"{_and(roles)} can {verb} for which {condition}", (name,)


def _condition(policy: Policy, command: str) -> str:
    found = (policy.check or policy.using) if command == "INSERT" else policy.using
    return found or "true"


def _clients(policy: Policy) -> list[str]:
    return [role for role in _CLIENTS if {role, "public"} & set(policy.roles)]


def _views(before: Rights, after: Rights) -> Iterator[_Told]:
    """Views that read with their owner's rights what the reader may not read."""
    for oid, view in after.relations.items():
        was = before.relations.get(oid)
        if view.kind not in "vm" or (view.invoker and view.kind == "v"):
            continue
        for role in _CLIENTS:
            if (oid, role, "SELECT") not in after.levels:
                continue
            held = was is not None and (oid, role, "SELECT") in before.levels
            if held and was and (was.definition, was.invoker) == (view.definition, view.invoker):
                continue
            closed = [after.relations[used].name for used in _read(after, view)
                      if used in after.relations and after.levels.get((used, role, "SELECT"), 0) < 2]  # fmt: skip
            if closed:
                what = f"{role} can read {_some(sorted(closed))} through the view {view.name}, whatever policies say"
                yield view.name, what, (view.name.rpartition(".")[2],)


def _read(rights: Rights, view: Relation) -> set[int]:
    """The tables that a view reads, also through other views."""
    found, waiting = set[int](), list(view.uses)
    while waiting:
        oid = waiting.pop()
        relation = rights.relations.get(oid)
        if relation is None or oid in found:
            continue
        if relation.kind == "v":
            waiting += relation.uses
        found.add(oid)
    return {oid for oid in found if rights.relations[oid].kind in "rpf"}


def _functions(before: Rights, after: Rights) -> Iterator[_Told]:
    for oid, (name, owner, body, roles) in after.definers.items():
        was = before.definers.get(oid)
        clients = [role for role in roles if role in _CLIENTS]
        new = [role for role in clients if was is None or role not in was[3]]
        word = name.partition("(")[0].rpartition(".")[2]
        if new:
            yield name, f"{_and(new)} can call {name}, which runs with the rights of {owner}", (word,)
        elif clients and was is not None and was[2] != body:
            what = (
                f"{name}, which {_and(clients)} can call and which runs with the rights of {owner}, does something else"
            )
            yield name, what, (word,)


def _place(steps: Sequence[Step], words: Collection[str]) -> tuple[str, int]:
    """The last statement with all these words, else with the last of them, else that runs code; ("", 0) for none."""
    for wanted in (list(words), list(words)[-1:]):
        for step in reversed(steps):
            if all(word.strip('"').lower() in step.text.lower() for word in wanted):
                return step.file, step.line
    for step in reversed(steps):
        if type(step.node).__name__ in ("DoStmt", "SelectStmt", "CallStmt", "GrantStmt", "AlterTableStmt"):
            return step.file, step.line
    return "", 0


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
