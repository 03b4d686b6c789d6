"""`[auth]` of supabase/config.toml, as the embedded engine's Auth takes it.

Source of names and defaults: https://supabase.com/docs/guides/local-development/cli/config
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from promthctl import process, redact
from promthctl.errors import UsageError
from promthctl.project_files import table_of
from promthctl.settings import Settings

_LOWER, _UPPER, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_SYMBOLS = "!@#$%^&*()_+-=[]{};'\\:\"|<>?,./`~"
_REQUIREMENTS = {
    "": [],
    "letters_digits": [_LOWER + _UPPER, _DIGITS],
    "lower_upper_letters_digits": [_LOWER, _UPPER, _DIGITS],
    "lower_upper_letters_digits_symbols": [_LOWER, _UPPER, _DIGITS, _SYMBOLS],
}
_DURATION = re.compile(r"0|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")


def auth_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """`[auth]` with the Supabase CLI's defaults for what it does not say.

    Raises UsageError for a value of a wrong type.
    """
    auth = _Table(document, "auth")
    email, sms, sessions = (_Table(document, "auth", name) for name in ("email", "sms", "sessions"))
    requirements = auth.text("password_requirements", "")
    if requirements not in _REQUIREMENTS:
        raise auth.wrong("password_requirements", '"lower_upper_letters_digits"')
    hooks = table_of(document, "auth", "hook", where="supabase/config.toml")
    return {
        "enabled": auth.flag("enabled", True),
        "siteUrl": auth.text("site_url", "http://127.0.0.1:3000"),
        "redirectUrls": auth.texts("additional_redirect_urls"),
        "enableSignup": auth.flag("enable_signup", True),
        "enableAnonymous": auth.flag("enable_anonymous_sign_ins", False),
        "enableManualLinking": auth.flag("enable_manual_linking", False),
        "minimumPasswordLength": max(auth.number("minimum_password_length", 6), 6),
        "requiredCharacters": _REQUIREMENTS[requirements],
        "jwtExpiry": auth.number("jwt_expiry", 3600),
        "refreshTokenRotation": auth.flag("enable_refresh_token_rotation", True),
        "refreshTokenReuseInterval": auth.number("refresh_token_reuse_interval", 10),
        "email": {
            "enableSignup": email.flag("enable_signup", True),
            "enableConfirmations": email.flag("enable_confirmations", False),
        },
        "phone": {
            "enableSignup": sms.flag("enable_signup", False),
            "enableConfirmations": sms.flag("enable_confirmations", False),
        },
        "doubleConfirmChanges": email.flag("double_confirm_changes", True),
        "securePasswordChange": email.flag("secure_password_change", False),
        "maxFrequency": email.duration("max_frequency", "1s"),
        "otpLength": min(max(email.number("otp_length", 6), 6), 10),
        "otpExpiry": email.number("otp_expiry", 3600),
        "timebox": sessions.duration("timebox", "0"),
        "inactivityTimeout": sessions.duration("inactivity_timeout", "0"),
        "mfa": {
            "maxEnrolledFactors": _Table(document, "auth", "mfa").number("max_enrolled_factors", 10),
            "totp": _factor(document, "totp"),
            "phone": _factor(document, "phone"),
            "webauthn": _factor(document, "web_authn"),
        },
        "saml": False,
        "providers": _enabled(table_of(document, "auth", "external", where="supabase/config.toml")),
        "hooks": {name: str(hooks[name].get("uri", "")) for name in _enabled(hooks)},
    }


def signing_keys(settings: Settings) -> list[dict[str, Any]]:
    """The private JSON Web Keys in the file of `[auth] signing_keys_path`, which `supabase gen signing-key` makes.

    The first signs. Raises UsageError where the file cannot be used.
    """
    path = _Table(settings.supabase, "auth").text("signing_keys_path", "")
    if not path:
        return []
    try:
        found = json.loads(process.read_regular(settings.supabase_dir / path))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, list) or not all(map(_is_signing_key, found)):
        raise UsageError(
            "[auth] signing_keys_path of supabase/config.toml cannot be used",
            f"{path} is not there, or has no list of private keys for ES256 or RS256",
            f"put [] into supabase/{path}, then: supabase gen signing-key --append; or leave the line out",
        )
    for key in found:
        redact.remember(key["d"])
    return found


def _is_signing_key(key: object) -> bool:
    names = {"EC": ("x", "y", "d"), "RSA": ("n", "e", "d", "p", "q", "dp", "dq", "qi")}
    return (
        isinstance(key, dict)
        and key.get("kty") in names
        and all(isinstance(key.get(name), str) for name in names[key["kty"]])
        and key.get("crv", "P-256") == "P-256"
    )


def _factor(document: Mapping[str, Any], name: str) -> dict[str, bool]:
    """What may be done with a kind of factor; nothing where config.toml says nothing, as in the Supabase CLI."""
    table = _Table(document, "auth", "mfa", name)
    return {"enroll": table.flag("enroll_enabled", False), "verify": table.flag("verify_enabled", False)}


def _enabled(tables: Mapping[str, Any]) -> list[str]:
    return [name for name, table in tables.items() if isinstance(table, dict) and table.get("enabled") is True]


class _Table:
    """A table of config.toml whose values are read by type."""

    def __init__(self, document: Mapping[str, Any], *names: str) -> None:
        self.name = ".".join(names)
        self.values = table_of(document, *names, where="supabase/config.toml")

    def wrong(self, key: str, right: str) -> UsageError:
        return UsageError(
            f"supabase/config.toml has a wrong [{self.name}] {key}",
            f"it is {self.values[key]!r}",
            f"write {key} = {right}, or leave the line out",
        )

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, str(default).lower())
        return value

    def number(self, key: str, default: int) -> int:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(key, str(default))
        return value

    def text(self, key: str, default: str) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, f'"{default}"')
        return value

    def texts(self, key: str) -> list[str]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(key, '["http://127.0.0.1:3000/welcome"]')
        return value

    def duration(self, key: str, default: str) -> str:
        value = self.text(key, default)
        if not _DURATION.fullmatch(value):
            raise self.wrong(key, '"1m0s"')
        return value
