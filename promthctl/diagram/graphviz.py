"""Graphviz, as the npm package @viz-js/viz brings it along: it lays out a graph and draws it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from promthctl import process, toolchain
from promthctl.errors import PromthctlError
from promthctl.settings import Settings
from promthctl.steps import Steps

_SECONDS = 300.0  # three hundred tables take two
_PROGRAM = """
const { instance } = await import("@viz-js/viz");
const viz = await instance();
const drawn = GRAPHS.map((graph) => viz.render(graph, { format: "svg" }));
process.stdout.write(JSON.stringify(drawn.map(({ status, output, errors }) => ({ status, output, errors }))));
"""


def draw(settings: Settings, graphs: Sequence[str], steps: Steps) -> list[str]:
    """Each graph as SVG. Raises PromthctlError where Graphviz fails, and what the toolchain raises."""
    tools = toolchain.ensure(settings, steps)
    program = _PROGRAM.replace("GRAPHS", json.dumps(list(graphs)))
    with steps.step("Drawing"):
        command = (tools.node, "--input-type=module", "-")
        try:
            made = process.run(command, cwd=tools.root, env=settings.child_env(), stdin=program, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise _failed([f"it was not done after {_SECONDS:.0f} s"]) from None
    if made.code != 0:
        raise _failed(made.stderr.strip().splitlines()[-1:] or ["it ended with an error"])
    drawn = json.loads(made.stdout)
    if wrong := [error["message"] for one in drawn for error in one["errors"] if error["level"] != "warning"]:
        raise _failed(wrong)
    return [str(one["output"]) for one in drawn]


def _failed(why: Sequence[str]) -> PromthctlError:
    hint = "promthctl diagram schema.mmd writes the same for Mermaid, which lays it out itself"
    return PromthctlError("Graphviz could not draw the tables", "; ".join(why), hint)
