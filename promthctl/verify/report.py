"""The result of a verification as one HTML page that loads nothing: it reads well on a phone and on paper."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from promthctl import __version__
from promthctl.declarations import lines_of
from promthctl.isolation import Attempt, IsolationReport, TableProof
from promthctl.quantities import count
from promthctl.redact import redact
from promthctl.schema import Difference
from promthctl.verify.checks import VerifyResult

_ROLES = {"anon": "anon", "owner": "owner", "other": "another user", "service_role": "service_role"}
_VERBS = ("select", "insert", "update", "delete", "move", "upsert")
_STYLE = """
:root { color-scheme: light; --line: #d9e0e6; --ink: #1f2933; --dim: #616e7c; --good: #0b6e4f; --bad: #b3261e }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem }
p { margin: .25rem 0 } .dim { color: var(--dim) } .good { color: var(--good) } .bad { color: var(--bad) }
.verdict { display: inline-block; padding: .3rem .8rem; border-radius: 2rem; font-weight: 700; color: #fff }
.verdict.good { background: var(--good) } .verdict.bad { background: var(--bad) }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem }
table { border-collapse: collapse; width: 100%; font-size: .85rem } th, td { padding: .3rem .25rem; text-align: center;
  border-bottom: 1px solid var(--line) } tr:last-child td { border-bottom: 0 }
th { font-weight: 600; color: var(--dim) } th.role { border-left: 1px solid var(--line) }
td.first, th.first { border-left: 1px solid var(--line) }
.verbs th { writing-mode: vertical-rl; text-align: left; padding: .4rem 0; font-weight: 400 }
td.name, th.name { text-align: left; padding-left: .6rem; position: sticky; left: 0;
  background: #fff; font-family: ui-monospace, monospace }
.yes { color: var(--good); font-weight: 700 } .no { color: #9aa5b1 }
.wrong { background: #fbe3e1; color: var(--bad); font-weight: 700 }
pre { margin: .4rem 0 1rem; padding: .6rem .8rem; background: #f4f6f8; border-radius: .4rem; overflow-x: auto;
  font: .8rem/1.45 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
ul { padding-left: 1.2rem; margin: .25rem 0 } li { margin: .2rem 0 } svg { width: 100%; height: auto; min-width: 42rem }
@media print { body { max-width: none; padding: 0; font-size: 11px } .wide { overflow: visible; border: 0 }
  svg { min-width: 0; max-height: 22cm } section { break-before: page }
  h2 { break-after: avoid } tr, pre { break-inside: avoid }
  td.name, th.name { position: static } * { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""


def report_page(result: VerifyResult, drawing: str = "") -> str:
    """The whole HTML document."""
    word, look = result.verdict, "good" if result.ok else "bad"
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    body = [
        "<h1>promthctl verify</h1>",
        f'<p>{escape(result.target)}</p><p class="dim">{when}, promthctl {__version__}</p>',
        f'<p><span class="verdict {look}">{escape(word)}</span></p>',
        _differences(result),
        _isolation(result.isolation) if result.isolation else "",
        f'<p class="dim">Not exposed by [api] schemas, reached by SQL alone: {escape(", ".join(result.unexposed))}</p>'
        if result.unexposed
        else "",
        _findings(result),
        _lifecycles(result),
        _advice(result),
        _accepted(result),
    ]
    if drawing:
        body.append(f'<section><h2>The schema</h2><div class="wide">{drawing}</div></section>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(word)}: {escape(result.target)}</title><style>{_STYLE}</style></head>"
        f"<body>{redact(''.join(body))}</body></html>\n"
    )


def _differences(result: VerifyResult) -> str:
    if not result.differences:
        made_by = f"{count(result.migrations, 'migration')} {'makes' if result.migrations == 1 else 'make'}"
        return f'<h2>Schema</h2><p class="good">✔ It is what {made_by}.</p>'
    items = "".join(map(_difference, result.differences))
    return f"<h2>Schema: {count(len(result.differences), 'difference')} from the migrations</h2>{items}"


def _difference(one: Difference) -> str:
    sides = "".join(
        f'<p class="dim">{name}</p><pre>{escape(json.dumps(given, indent=1, ensure_ascii=False))}</pre>'
        for name, given in (("The migrations make", one.expected), ("The database has", one.actual))
        if given
    )
    fix = f'<p class="dim">This fixes it</p>{_pre(one.fix)}' if one.fix else ""
    return f'<p class="bad">✘ {one.state} {escape(one.kind)}: <code>{escape(one.name)}</code></p>{sides}{fix}'


def _isolation(report: IsolationReport) -> str:
    if not report.tables:
        return "<h2>Isolation</h2><p>Not tried: there is no table that clients may reach.</p>"
    heads = "".join(f'<th class="role" colspan="{len(_VERBS)}">{title}</th>' for title in _ROLES.values())
    verbs = "".join(_cells("th", _VERBS) for _ in _ROLES)
    rows = "".join(map(_row, report.tables))
    remarks = (p for p in report.tables if p.reason and p.state == "proven")
    reasons = _list(f"<code>{escape(p.table)}</code>: {escape(p.reason)}" for p in remarks)
    caveats = _list(escape(caveat) for caveat in report.caveats)
    return (
        "<h2>Isolation</h2><p>What each role tried on the owner's rows, in a transaction that was rolled back: "
        '<span class="yes">✔</span> reached rows, <span class="no">&ndash;</span> did not, '
        '<span class="wrong">✘</span> had the wrong outcome.</p>'
        f'<div class="wide"><table><tr><th class="name" rowspan="2">Table</th>{heads}</tr>'
        f'<tr class="verbs">{verbs}</tr>{rows}</table></div>{reasons}{caveats}'
    )


def _row(proof: TableProof) -> str:
    cells = "".join(
        _cells("td", [_mark([a for a in proof.attempts if (a.role, a.verb) == (role, verb)]) for verb in _VERBS])
        for role in _ROLES
    )
    look = {"proven": "good", "not proven": "dim"}.get(proof.state, "bad")
    return f'<tr><td class="name {look}" title="{proof.state}">{escape(proof.table)}</td>{cells}</tr>'


def _cells(tag: str, contents: Iterable[str]) -> str:
    """The cells of one role; the first has a line on its left."""
    return "".join(
        f"<{tag}{' class=first' if index == 0 else ''}>{content}</{tag}>" for index, content in enumerate(contents)
    )


def _mark(attempts: list[Attempt]) -> str:
    if not attempts:
        return ""
    title = escape("; ".join(f"{a.outcome}: {a.detail}" for a in attempts), quote=True)
    if not all(a.ok for a in attempts):
        return f'<span class="wrong" title="{title}">✘</span>'
    reached = any(a.outcome == "reached" for a in attempts)
    return f'<span class="{"yes" if reached else "no"}" title="{title}">{"✔" if reached else "&ndash;"}</span>'


def _findings(result: VerifyResult) -> str:
    """What is wrong or unclear, with what opens it and what to do about it."""
    items = []
    for one in result.findings:
        if one.severity in ("leak", "failed", "not proven"):
            parts = [f"{name}: {text}" for name, text in (("policy", one.policy), ("by", one.condition)) if text]
            parts += [f"row: {one.row}"] if one.row else []
            detail = "".join(f'<p class="dim">{escape(part)}</p>' for part in parts)
            look = "dim" if one.severity == "not proven" else "bad"
            head = f'<span class="{look}"><code>{escape(one.object)}</code>: {one.severity}.</span> {escape(one.what)}'
            items.append(f"{head}{detail}{_pre(one.fix)}")
    lines = lines_of([one.allow for one in result.findings if one.allow])
    meant = (
        f"<p>What is meant so is declared in pyproject.toml, by its line of these:</p>{_pre(lines)}" if lines else ""
    )
    return f"<h2>Found</h2>{_list(items)}{meant}" if items else ""


def _accepted(result: VerifyResult) -> str:
    items = [
        f"<code>{escape(one.object)}</code>: {one.severity}. {escape(one.what)}"
        f'<p class="dim">Reason: {escape(one.reason)}</p>'
        for one in result.accepted
    ]
    return f"<h2>Accepted</h2>{_list(items)}" if items else ""


def _pre(text: str) -> str:
    return f"<pre>{escape(text)}</pre>" if text else ""


def _lifecycles(result: VerifyResult) -> str:
    items = [
        f'<span class="{"good" if one.ok else "bad"}">{"✔" if one.ok else "✘"}</span> {escape(one.name)}:'
        f' <span class="dim">{escape(one.detail)}</span>'
        for one in result.lifecycles
    ]
    return f"<h2>Life cycles</h2>{_list(items)}" if items else ""


def _advice(result: VerifyResult) -> str:
    if result.isolation is None and not result.untried:
        return ""
    told = [one for one in result.findings if one.severity == "advice"]
    items = [f"{'advisors: ' if one.object == 'advisors' else ''}{escape(one.what)}{_pre(one.fix)}" for one in told]
    if result.advisors is None:
        items.append(f"The Supabase CLI's advisors could not run: {escape(result.unasked)}")
    return f"<h2>Advice</h2>{_list(items) or '<p class=good>✔ None, nor from the Supabase CLI&rsquo;s advisors.</p>'}"


def _list(items: Iterable[str]) -> str:
    inner = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{inner}</ul>" if inner else ""
