"""The JSON Schemas of what --json prints, made of the dataclasses that the commands return.

    python -m tests.json_schemas     rewrites docs/schemas

A field's description is what the docstring of its class says of it, as in "size: in bytes.".
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import importlib
import inspect
import json
import pathlib
import pkgutil
import re
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

from promthctl.envelope import VERSION
from promthctl.errors import CODES

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}


def _texts(*names: str) -> dict[str, Any]:
    return _object(**{name: {"type": "string"} for name in names})


_MESSAGE = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}, "required": ["to"]}
_SQL = _object(
    target={"type": "string"},
    caller={"type": ["string", "null"], "description": "The role or user of --as."},
    written={"type": "boolean", "description": "It was committed."},
    results={
        "type": "array",
        "items": _object(
            line={"type": "integer", "description": "Of the statement, from 1."},
            command={"type": "string", "description": "As the server tags it, e.g. SELECT 3."},
            columns={"type": "array", "items": _texts("name", "type")},
            rows={"type": "array", "items": {"type": "object"}, "description": "Column to value."},
            more={"type": "boolean", "description": "There are rows beyond --limit."},
        ),
    },
)

# The words of a command → the classes of its results, as module:class of promthctl; a list of one is an array of it.
RESULTS: dict[str, tuple[Any, ...]] = {
    "": ("overview.standing:Overview",),
    "cache clean": ("local_stack.cache:Cleaned",),
    "cache list": ("local_stack.cache:CacheList",),
    "diagram": ("diagram.drawing:Drawing",),
    "diff": ("drafting.differences:SchemaDiff",),
    "doctor": ("doctor.examining:Diagnosis",),
    "ci": (_texts("text"), "setting_up.ci_files:CiWritten"),
    "dump": ("copies.dumping:Dump",),
    "init": ("mr_promth.project:InitResult", "setting_up.beginning:Begun"),
    "keys check": ("keys.checking:KeyCheckResult",),
    "keys list": (["keys.listing:ListedKey"],),
    "keys remove": ("keys.changing:RemoveResult",),
    "keys replace": ("keys.changing:ReplaceResult",),
    "keys rotate": ("keys.rotation:RotationResult",),
    "local clone": ("local_stack.clone:Clone",),
    "local down": ("local_stack.down:DownResult",),
    "local env": ({"type": "object", "additionalProperties": {"type": "string"}}, "local_stack.env:EnvResult"),
    "local logs": (
        {"type": "array", "items": _texts("service", "line")},
        {"type": "null", "description": "With --follow: each line came as an object of its own before the envelope."},
    ),
    "local mail": ("local_stack.mail:Mails", _texts("url")),
    "local mail show": (_MESSAGE,),
    "local reset": (
        "local_stack.reset:LocalResetResult",
        "local_stack.reset:LocalResetPreview",
        "local_stack.reset:UndoResult",
    ),
    "local snapshot list": ("local_stack.snapshots:SnapshotList",),
    "local snapshot remove": ("local_stack.snapshots:RemovedSnapshot",),
    "local snapshot restore": ("local_stack.snapshots:RestoredSnapshot",),
    "local snapshot save": ("engines.engine:Snapshot",),
    "local status": ("local_stack.status:StatusResult",),
    "local studio": (_texts("url"),),
    "local up": ("local_stack.up:UpResult",),
    "migrations adopt": ("adoption.adopting:Adoption",),
    "migrations bundle": ("migration_files.bundling:Bundle",),
    "migrations convert": ("migration_files.converting:Conversion",),
    "migrations down": ("migration_files.down_scripts:DownScripts",),
    "migrations fetch": ("migration_files.fetching:Fetch",),
    "migrations lint": ("linting.linting:LintResult",),
    "migrations list": (["migration_set.history:MigrationRow"],),
    "migrations new": ("migration_set.creating:NewMigration", "migration_files.pulling:Pull"),
    "migrations renumber": ("migration_files.renumbering:Renumbering",),
    "migrations squash": ("migration_files.squashing:Squashing", "migration_files.squashing:Undone"),
    "migrations sync": ("migration_set.sync:SyncPlan",),
    "pull": ("migration_files.pulling:Pull",),
    "push": ("push.applying:PushResult", "push.planning:PushPreview", "push.batch:BatchResult"),
    "reset": (
        "resetting.target:ResetResult",
        "resetting.target:ResetPlan",
        "local_stack.reset:LocalResetResult",
        "local_stack.reset:LocalResetPreview",
    ),
    "rollback": ("rollback.undoing:RollbackResult", "backups.restoring:RestoreResult", ["backups.folder:BackupRow"]),
    "self uninstall": ("local_stack.uninstalling:Uninstalled",),
    "self check-update": ("doctor.updates:UpdateCheck",),
    "seed keys": ("keys.seeding:SeedReport",),
    "seed sql": ("seeds.applying:SeedPlan", "seeds.applying:SeedResult"),
    "seed vanchin": ("keys.seeding:SeedReport",),
    "sql": (_SQL,),
    "test": ("pgtap.running:TestRun", _texts("file")),
    "trust": ("trust:TrustResult",),
    "types": ("typegen.generating:TypesResult", _texts("text")),
    "verify": ("verify.checks:VerifyResult",),
}


def envelope() -> dict[str, Any]:
    """The schema of what is around each command's data."""
    error = _object(
        code={"enum": sorted(CODES), "description": "Stays what it is; see docs/json.md."},
        what={"type": "string", "description": "What failed, in a sentence."},
        why={"type": "string", "description": "The cause; may have several lines."},
        next={"type": "string", "description": "The command or edit that puts it right."},
        exit_code={"type": "integer", "description": "That of this error alone."},
    )
    error["properties"]["target"] = {"type": "string", "description": "The one of several targets it is about."}
    whole = _object(
        version={"const": VERSION},
        command={"enum": sorted(RESULTS.keys() | _GROUPS), "description": "Its words; empty for promthctl alone."},
        data={"description": "The result, see COMMAND.schema.json; null where there is none."},
        status={"enum": ["success", "partial", "error"]},
        errors={"type": "array", "items": error},
    )
    return {"$schema": _DIALECT, "title": "What promthctl --json prints", **whole}


_GROUPS = {
    "local",
    "local snapshot",
    "migrations",
    "seed",
    "self",
    "cache",
    "keys",
}  # without a command they are a mistake


def data_schema(command: str) -> dict[str, Any]:
    """The schema of one command's data."""
    found = _Definitions()
    choices = [found.result(one) for one in RESULTS[command]]
    body = choices[0] if len(choices) == 1 else {"anyOf": choices}
    title = f"data of promthctl {command}".strip()
    return {"$schema": _DIALECT, "title": title, **body, "$defs": dict(sorted(found.made.items()))}


class _Definitions:
    """made: the schemas of the dataclasses that were met, by name."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def result(self, one: Any) -> dict[str, Any]:
        match one:
            case dict():
                return one
            case [inner]:
                return {"type": "array", "items": self.result(inner)}
        module, _, name = one.partition(":")
        return self.of(getattr(importlib.import_module(f"promthctl.{module}"), name))

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type as annotations name it."""
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if isinstance(kind, typing.NewType):
            return self.of(kind.__supertype__)
        if kind is Any or kind is object:
            return {}
        if origin is typing.Annotated:
            return self.of(inner[0])
        if origin is typing.Literal:
            return {"enum": list(inner)}
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.of(one) for one in inner]}
        if origin is tuple and inner[-1] is not Ellipsis:
            return {"type": "array", "prefixItems": [self.of(one) for one in inner], "items": False}
        if origin in (tuple, list, set, frozenset, collections.abc.Sequence):
            return {"type": "array", "items": self.of(inner[0])}
        if origin in (dict, collections.abc.Mapping):
            return {"type": "object", "additionalProperties": self.of(inner[1])}
        if dataclasses.is_dataclass(kind):
            return self._defined(kind)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return {"enum": [one.value for one in kind]}
        names = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", dict: "object"}
        names |= {pathlib.Path: "string", list: "array", tuple: "array"}
        return {"type": names[kind]}

    def _defined(self, kind: Any) -> dict[str, Any]:
        name = kind.__name__
        if name not in self.made:
            self.made[name] = {}  # where it holds itself
            hints, said = _hints(kind), _said(kind)
            fields = {}
            for field in dataclasses.fields(kind):
                if field.repr:
                    fields[field.name] = self.of(hints[field.name])
                    if field.name in said:
                        fields[field.name] = {**fields[field.name], "description": said[field.name]}
            self.made[name] = _object(**fields)
        return {"$ref": f"#/$defs/{name}"}


def _hints(kind: Any) -> dict[str, Any]:
    """The types of the fields, also those that are imported for the type checker alone."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        own = vars(inspect.getmodule(base) or dataclasses)
        for name, text in getattr(base, "__annotations__", {}).items():
            found[name] = eval(text, {**_everything(), **own}) if isinstance(text, str) else text
    return found


@cache
def _everything() -> dict[str, Any]:
    import promthctl

    names: dict[str, Any] = {}
    for module in pkgutil.walk_packages(promthctl.__path__, "promthctl."):
        if not module.name.endswith("__main__"):
            names |= vars(importlib.import_module(module.name))
    return names


def _said(kind: Any) -> dict[str, str]:
    """What docstrings say of each field: `name: …` or `name, other: …`, up to the next of these."""
    names = "|".join(field.name for field in dataclasses.fields(kind))
    said: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = " ".join((base.__dict__.get("__doc__") or "").split())
        if not names or text.startswith(f"{base.__name__}("):  # made by dataclass
            continue
        label = rf"(?:(?<=[.;?!] )|^)((?:{names})(?:(?:, | and )(?:{names}))*): "
        parts = re.split(label, text)[1:]
        for several, what in zip(parts[::2], parts[1::2], strict=True):
            said |= dict.fromkeys(re.split(", | and ", several), what.strip())
    return said


def file_name(command: str) -> str:
    return f"{command.replace(' ', '-') or 'promthctl'}.schema.json"


def rendered() -> dict[str, str]:
    """The files of docs/schemas: name → content."""
    made = {"envelope.schema.json": envelope()} | {file_name(command): data_schema(command) for command in RESULTS}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in made.items()}


def check(text: str) -> Any:
    """The data in what --json printed. Fails unless it is one envelope, and its data what docs/schemas says."""
    whole = json.loads(text)
    _validator("envelope.schema.json").validate(whole)
    errors, data = whole["errors"], whole["data"]
    assert (whole["status"] == "success") == (not errors), text
    assert whole["status"] != "partial" or data is not None, text
    if data is not None:
        _validator(file_name(whole["command"])).validate(data)
    return data


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((FOLDER / name).read_text(encoding="utf-8")))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    files = rendered()
    for old in FOLDER.glob("*.schema.json"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
