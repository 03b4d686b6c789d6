"""The Supabase CLI's profile: which cloud is meant, Supabase's own or another that speaks the same API.

SUPABASE_PROFILE holds one of the names below or a YAML file; if it is not set, ~/.supabase/profile does; otherwise
the cloud is supabase.com. Source of the names, the hosts and the file's keys: internal/utils/profile.go of
https://github.com/supabase/cli
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from promthctl import trust
from promthctl.errors import UsageError
from promthctl.settings import Settings

_API_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_YAML_LINE = re.compile(r"([A-Za-z_][\w-]*):(?:[ \t]+(.*))?")
_YAML_VALUE = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*")|'(?P<single>(?:[^']|'')*)'|(?P<plain>[^\s"'&*!|>%@`{}\[\]#,?:-].*?)"""
)
_YAML_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")


@dataclass(frozen=True)
class Profile:
    """api_url: the Management API's root, without a slash at its end. project_host: a project answers at REF.HOST.

    pooler_host: the domain of the connection poolers, None where the profile names none.
    """

    api_url: str
    project_host: str
    pooler_host: str | None = None


PROFILES = {
    "supabase": Profile("https://api.supabase.com", "supabase.co", "supabase.com"),
    "supabase-staging": Profile("https://api.supabase.green", "supabase.red", "supabase.green"),
    "supabase-local": Profile("http://localhost:8080", "supabase.red"),
    "snap": Profile("https://cloudapi.snap.com", "snapcloud.dev", "snapcloud.co"),
}


@dataclass(frozen=True)
class _Choice:
    """value: a name, or a file's path as it was written; source: what says so, for the hint of an error."""

    value: str
    source: str


def read_profile(settings: Settings) -> Profile:
    """The profile that the project uses. A file's path is relative to the project's folder.

    Raises UsageError when the file cannot be read, or does not name the API and the projects' host.
    """
    choice = _choice(settings)
    if choice is None:
        return PROFILES["supabase"]
    known = PROFILES.get(choice.value.lower())
    return known or _from_file(settings.project_dir / Path(choice.value).expanduser(), choice)


def profile_argument(settings: Settings) -> str | None:
    """SUPABASE_PROFILE for a child process: a name, or a file's absolute path. None when the default is meant.

    The file is not read. Raises UsageError when ~/.supabase/profile cannot be read.
    """
    choice = _choice(settings)
    if choice is None:
        return None
    if choice.value.lower() in PROFILES:
        return choice.value.lower()
    return str(settings.project_dir / Path(choice.value).expanduser())


def supabase_home(settings: Settings) -> Path:
    """The folder where the Supabase CLI keeps what belongs to the user: the access token and the profile."""
    return Path(settings.env.get("HOME", "~")).expanduser() / ".supabase"


def _choice(settings: Settings) -> _Choice | None:
    if variable := settings.get("SUPABASE_PROFILE"):
        trust.check_variable(settings, "SUPABASE_PROFILE")
        return _Choice(variable, "SUPABASE_PROFILE")
    file = supabase_home(settings) / "profile"
    if not file.exists():
        return None
    value = _text(file, _Choice("", str(file))).strip()
    return _Choice(value, str(file)) if value else None


def _from_file(file: Path, choice: _Choice) -> Profile:
    values = _yaml_values(_text(file, choice), file, choice)
    api_url, project_host, pooler_host = (values.get(key, "") for key in ("api_url", "project_host", "pooler_host"))
    if not _API_URL.fullmatch(api_url):
        raise _unusable(f"{file} has no line `api_url: https://…`", choice)
    if urlsplit(api_url).scheme != "https" and urlsplit(api_url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise _unusable(f"api_url in {file} is not https, so that everybody on the way could read the token", choice)
    if not _HOST.fullmatch(project_host):
        raise _unusable(f"{file} has no line `project_host: …` with a host name", choice)
    if pooler_host and not _HOST.fullmatch(pooler_host):
        raise _unusable(f"pooler_host in {file} is not a host name", choice)
    return Profile(api_url.rstrip("/"), project_host, pooler_host or None)


def _yaml_values(text: str, file: Path, choice: _Choice) -> dict[str, str]:
    """The top-level scalars of a YAML mapping, "" for a key that has a list, a mapping or a block of text.

    As much of YAML as a profile needs, so that no parser has to be installed: plain and quoted values on the line of
    their key, and comments. A line that is anything else is refused.
    """
    values: dict[str, str] = {}
    nested_may_follow = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#") or (line == "---" and not values):
            continue
        if nested_may_follow and line.startswith((" ", "- ")):
            continue
        match = _YAML_LINE.fullmatch(line.rstrip())
        value = _yaml_scalar(match[2] or "") if match else None
        if match is None or value is None or match[1] in values:
            raise _unusable(f"line {number} of {file} is not `key: value`, with each key once", choice)
        values[match[1]] = value
        nested_may_follow = not value
    return values


def _yaml_scalar(written: str) -> str | None:
    """The value of `written`, "" for what is not a scalar on this line; None for what YAML does not allow."""
    if not written or written[0] in "[{|>" or _YAML_COMMENT.fullmatch(written):
        return ""
    match = re.fullmatch(rf"(?:{_YAML_VALUE.pattern})(?:{_YAML_COMMENT.pattern})?", written)
    if match is None:
        return None
    if match["double"] is None:
        return match["plain"] if match["single"] is None else match["single"].replace("''", "'")
    try:
        return str(json.loads(match["double"]))
    except ValueError:
        return None


def _text(file: Path, choice: _Choice) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        why = f"there is no file {file}, and the Supabase CLI knows these names: {', '.join(PROFILES)}"
        raise _unusable(why, choice) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise _unusable(f"{file} cannot be read: {reason}", choice) from None


def _unusable(why: str, choice: _Choice) -> UsageError:
    remedy = "unset it" if choice.source == "SUPABASE_PROFILE" else "remove that file"
    return UsageError(
        "The Supabase CLI's profile cannot be used", why, f"correct {choice.source}, or {remedy} to use supabase.com"
    )
