"""Whether the user's package index has a newer promthctl. Asked only by `promthctl self check-update`.

The index is that of the user's pip: PIP_INDEX_URL, UV_DEFAULT_INDEX or UV_INDEX_URL, then pip's configuration files,
then pip's own default. The answer is the simple API's: https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from promthctl import __version__, process
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError, UsageError
from promthctl.settings import Settings
from promthctl.toolchain.python_packages import upgrade_command

_NAMES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
_SECONDS = 5.0
_MOST = 10_000_000  # bytes of an answer
_FORMS = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_RELEASE = re.compile(r"[0-9]+(?:\.[0-9]+)*")  # no pre-release
_FILE = re.compile(r"promthctl-([0-9][^-]*?)(?:-py3-none-any\.whl|\.tar\.gz)")
_AGAIN = "promthctl self check-update"


@dataclass(frozen=True)
class UpdateCheck:
    """index: what was asked, without credentials. named_by: the variable or configuration that names it.

    newest: the newest release there that is no pre-release and was not taken back. command: what installs it, None if
    this one is as new.
    """

    index: str
    named_by: str
    installed: str
    newest: str
    command: str | None


def check_update(settings: Settings) -> UpdateCheck:
    """Ask the index once. Raises UsageError for an address that is none, TargetError where it does not answer, and
    PromthctlError where it has no promthctl.
    """
    index, named_by = _index(settings)
    shown = _without_credentials(index)
    releases = list(_releases(_ask(index, shown, named_by)))
    if not releases:
        why = f"{shown} lists no release of it that can be used"
        raise PromthctlError("No promthctl was found on the package index", why, f"PIP_INDEX_URL=URL {_AGAIN}")
    newest = max(releases, key=_order)
    newer = _order(newest) > _order(__version__)
    return UpdateCheck(shown, named_by, __version__, newest, upgrade_command(newest) if newer else None)


def _index(settings: Settings) -> tuple[str, str]:
    own: Mapping[str, str] = settings.env
    for name in _NAMES:  # a project's .env does not choose whom promthctl asks
        if name not in settings.project_variables and (value := own.get(name, "").strip()):
            return value.rstrip("/"), name
    configured = _configured()
    return (configured, "pip's configuration") if configured else (_default(), "pip's default")


def _default() -> str:
    """pip's own default, as its help tells it. Raises PrerequisiteError where there is no pip."""
    told = process.run([sys.executable, "-m", "pip", "help", "download"])
    found = re.search(r"\(default\s+(https://\S+?)/?\)", told.stdout)
    if found is None:
        raise PrerequisiteError(
            "There is no package index to ask",
            "no variable names one, and pip, which has a default, is not beside promthctl",
            f"PIP_INDEX_URL=… {_AGAIN}",
        )
    return found[1]


def _configured() -> str:
    """What pip's files say, read by pip; empty where they say nothing. (`config get` leaves out PIP_CONFIG_FILE.)"""
    listed = process.run([sys.executable, "-m", "pip", "config", "list"])
    found = dict(re.findall(r"^(install|global)\.index-url='([^']*)'$", listed.stdout, re.MULTILINE))
    return str(found.get("install") or found.get("global", "")).rstrip("/")


def _ask(index: str, shown: str, named_by: str) -> str:
    import base64
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    parts = urlsplit(index)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        why = f"{named_by} names {shown}, and only an address of http or https can be asked"
        raise UsageError("The package index cannot be asked", why, f"PIP_INDEX_URL=URL {_AGAIN}")
    request = Request(f"{_bare(index)}/promthctl/", headers={"Accept": _FORMS})  # noqa: S310 - http or https
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    try:
        with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return str(answer.read(_MOST).decode("utf-8", errors="replace"))
    except HTTPError as error:
        if error.code == 404:
            return ""
        raise _no_answer(shown, named_by, f"it answers {error.code}") from None
    except (URLError, OSError, ValueError) as error:
        raise _no_answer(shown, named_by, str(getattr(error, "reason", error))) from None


def _no_answer(shown: str, named_by: str, why: str) -> TargetError:
    hint = f"check the network, or name another index: PIP_INDEX_URL=URL {_AGAIN}"
    return TargetError("The package index cannot be asked", f"{shown} ({named_by}): {why}", hint)


def _bare(index: str) -> str:
    parts = urlsplit(index)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _without_credentials(index: str) -> str:
    parts = urlsplit(index)
    return _bare(index) if parts.netloc else index


def _releases(answer: str) -> Iterator[str]:
    """The releases of which a file can be had, of an answer in JSON or HTML."""
    try:
        files = [(file["filename"], bool(file.get("yanked"))) for file in json.loads(answer)["files"]]
    except (ValueError, KeyError, TypeError):
        anchors = re.findall(r"<a\b([^>]*)>([^<]*)</a>", answer)
        files = [(name.strip(), "data-yanked" in attributes) for attributes, name in anchors]
    for name, yanked in files:
        found = _FILE.fullmatch(str(name))
        if found and not yanked and _RELEASE.fullmatch(found[1]):
            yield found[1]


def _order(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and not numbers[-1]:  # 1.0 is 1.0.0
        numbers.pop()
    return tuple(numbers)
