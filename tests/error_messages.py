"""Renders every error a user can meet, read from the source, so that their wording is reviewed in one place.

    python -m tests.error_messages     rewrites tests/error_messages.txt

An expression stands in braces; a text that is chosen while the program runs is listed with all its alternatives, also
where a caller hands it over as an argument.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "promthctl"
SNAPSHOT = Path(__file__).with_suffix(".txt")
_DEPTH = 3  # how many hand-overs of a text are followed
_LABELS = ("error", "why", "next")  # as output.py shows them

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: its module, and the function around it."""

    module: Path
    function: Function | None = None


class Sources:
    """The parsed modules of the package, with what is needed to follow a text to where it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))}
        self.constants: dict[tuple[Path, str], ast.expr] = {}
        self.functions: dict[tuple[Path, str], Function] = {}
        self.calls: dict[str, list[tuple[Scope, ast.Call]]] = defaultdict(list)
        self.errors = self._error_classes()
        for path, module in self.modules.items():
            for node in module.body:
                if isinstance(node, ast.FunctionDef):
                    self.functions[path, node.name] = node
                elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.constants[path, node.targets[0].id] = node.value
            for scope, node in _scoped(module, Scope(path)):
                if isinstance(node, ast.Call):
                    self.calls[_name(node.func)].append((scope, node))

    def _error_classes(self) -> set[str]:
        classes = {"PromthctlError"}
        bases = {
            node.name: {_name(base) for base in node.bases}
            for module in self.modules.values()
            for node in ast.walk(module)
            if isinstance(node, ast.ClassDef)
        }
        while more := {name for name, parents in bases.items() if parents & classes} - classes:
            classes |= more
        return classes

    def raised(self) -> Iterator[tuple[Scope, ast.Call]]:
        """Every error that is made, with where; in the order of the files and lines."""
        found = [each for name in self.errors for each in self.calls[name] if len(each[1].args) >= len(_LABELS)]
        yield from sorted(found, key=lambda each: (each[0].module, each[1].lineno, each[1].col_offset))

    def texts(self, node: ast.expr, scope: Scope, depth: int = _DEPTH) -> list[str]:
        """What an expression may say, each alternative once."""
        match node:
            case ast.Constant(value=str(value)):
                return [value]
            case ast.JoinedStr(values=values):
                return ["".join(self._part(value) for value in values)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return [a + b for a in self.texts(left, scope, depth) for b in self.texts(right, scope, depth)]
            case ast.IfExp(body=body, orelse=orelse):
                return _once([*self.texts(body, scope, depth), *self.texts(orelse, scope, depth)])
            case ast.BoolOp(values=values):
                return _once([text for value in values for text in self.texts(value, scope, depth)])
            case ast.Call(func=ast.Name(id=name)) if depth and (function := self.functions.get((scope.module, name))):
                returned = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value]
                inside = Scope(scope.module, function)
                return _once([text for value in returned for text in self.texts(value, inside, depth - 1)])
            case ast.Name(id=name) if depth:
                return self._named(name, scope, depth) or [f"{{{name}}}"]
        return [f"{{{ast.unparse(node)}}}"]

    def _part(self, node: ast.expr) -> str:
        return str(node.value) if isinstance(node, ast.Constant) else f"{{{ast.unparse(node).strip('{}')}}}"

    def _named(self, name: str, scope: Scope, depth: int) -> list[str]:
        """What a name stands for: assigned in the function, handed over by callers, or a constant of the module."""
        if scope.function is not None:
            assigned = list(_assigned(scope.function, name))
            if assigned:
                return _once([text for value in assigned for text in self.texts(value, scope, depth - 1)])
            if name in (parameters := [each.arg for each in scope.function.args.args]):
                return self._handed_over(scope, name, parameters, depth - 1)
        constant = self.constants.get((scope.module, name))
        return self.texts(constant, Scope(scope.module), depth - 1) if constant is not None else []

    def _handed_over(self, inside: Scope, name: str, parameters: list[str], depth: int) -> list[str]:
        """What the callers of a function hand over for one of its parameters."""
        assert inside.function is not None
        private = inside.function.name.startswith("_")  # the same name in another module is another function
        place = parameters.index(name) - (parameters[0] in ("self", "cls"))
        found: list[str] = []
        for scope, call in self.calls[inside.function.name]:
            if private and scope.module != inside.module:
                continue
            given = next((word.value for word in call.keywords if word.arg == name), None)
            if given is None and len(call.args) > place:
                given = call.args[place]
            if given is not None and not isinstance(given, ast.Starred):
                found += self.texts(given, scope, depth)
        return _once(found)


def render(folder: Path = PACKAGE) -> str:
    """All errors as text, one block each."""
    sources = Sources(folder)
    blocks = []
    for scope, call in sources.raised():
        where = scope.module.relative_to(folder.parent).as_posix()
        inside = f" · {scope.function.name}" if scope.function else ""
        lines = [f"{where}{inside} · {_name(call.func)}"]
        for label, argument in zip(_LABELS, call.args, strict=False):
            for text in sources.texts(argument, scope):
                first, *rest = text.split("\n")
                lines += [f"  {label:>5}: {first}", *(f"         {line}" for line in rest)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _scoped(node: ast.AST, scope: Scope) -> Iterator[tuple[Scope, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inner = Scope(scope.module, child) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else scope
        yield inner, child
        yield from _scoped(child, inner)


def _assigned(function: Function, name: str) -> Iterator[ast.expr]:
    """What a function assigns to a name, also as part of `a, b = x, y`."""
    for node in ast.walk(function):
        if isinstance(node, ast.NamedExpr) and node.target.id == name:
            yield node.value
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for part, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(part, ast.Name) and part.id == name:
                        yield value


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _once(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))


if __name__ == "__main__":
    SNAPSHOT.write_text(render(), encoding="utf-8")
