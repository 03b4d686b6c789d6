"""Multi-factor sign-in: an app's second factor, what a session with one and with two may do, and how factors go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from promthctl.engines import embedded
from promthctl.toolchain import Toolchain
from tests.embedded.test_auth import admin, ask, bearer, claims, rows, signup
from tests.rest_server import Rest, rest_server
from tests.servers import Server, fresh_database

MFA = {"max_enrolled_factors": 3, "totp": {"enroll_enabled": True, "verify_enabled": True}}
HOOK = b"""
create function public.attempt(event jsonb) returns jsonb language sql as $$
  select case when (event ->> 'valid')::bool then '{"decision": "continue"}'::jsonb
              else '{"decision": "reject", "message": "enough"}' end $$;
grant execute on function public.attempt to supabase_auth_admin;
"""


@pytest.fixture(scope="module")
def auth(server: Server, tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    mail = tmp_path_factory.mktemp("mail") / "mail.jsonl"
    with fresh_database(server) as url, rest_server(url, tools, auth={"mfa": MFA}, mail_file=mail) as running:
        yield running


def code(secret: str, ago: int = 0) -> str:
    """The code of a secret, as RFC 6238 makes it, so many periods ago."""
    count = struct.pack(">Q", int(time.time()) // 30 - ago)
    made = hmac.new(base64.b32decode(secret), count, hashlib.sha1).digest()
    [number] = struct.unpack_from(">I", made, made[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def call(auth: Rest, session: Any, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    return ask(auth, method, path, body, status, authorization=bearer(session))


def enroll(auth: Rest, session: Any, name: str = "", status: int = 200) -> Any:
    return call(auth, session, "POST", "/factors", {"factor_type": "totp", "friendly_name": name}, status)


def verify(auth: Rest, session: Any, factor: Any, given: str | None = None, status: int = 200) -> Any:
    challenge = call(auth, session, "POST", f"/factors/{factor['id']}/challenge")
    body = {"challenge_id": challenge["id"], "code": given or code(factor["totp"]["secret"])}
    return call(auth, session, "POST", f"/factors/{factor['id']}/verify", body, status)


def test_a_code_of_the_app_raises_the_session(auth: Rest) -> None:
    first = signup(auth, "raised@example.com")
    other = ask(
        auth, "POST", "/token?grant_type=password", {"email": "raised@example.com", "password": "a-fake-pass-1"}
    )
    factor = enroll(auth, first, "phone of mine")
    uri = urlsplit(factor["totp"]["uri"])
    told = parse_qs(uri.query)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/127.0.0.1%3A3000:raised%40example.com")
    assert told == {
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "issuer": ["127.0.0.1:3000"],
        "period": ["30"],
        "secret": [factor["totp"]["secret"]],
    }
    assert factor["totp"]["qr_code"].startswith("<svg") and "#" not in factor["totp"]["qr_code"]
    raised = verify(auth, first, factor)
    said = claims(raised)
    assert said["aal"] == "aal2" and {entry["method"] for entry in said["amr"]} == {"password", "totp"}
    assert said["session_id"] == claims(first)["session_id"]
    assert [one["status"] for one in raised["user"]["factors"]] == ["verified"]
    assert "secret" not in str(call(auth, raised, "GET", "/user"))
    # What one factor alone had opened is over: the other session, and the refresh token from before.
    assert call(auth, other, "GET", "/user", status=403)["error_code"] == "session_not_found"
    ask(auth, "POST", "/token?grant_type=refresh_token", {"refresh_token": first["refresh_token"]}, 400)
    again = ask(auth, "POST", "/token?grant_type=refresh_token", {"refresh_token": raised["refresh_token"]})
    assert claims(again)["aal"] == "aal2"


def test_a_session_of_one_factor_cannot_take_the_account(auth: Rest) -> None:
    owner = signup(auth, "guarded@example.com")
    factor = enroll(auth, owner)
    owner = verify(auth, owner, factor)
    password = {"email": "guarded@example.com", "password": "a-fake-pass-1"}
    thief = ask(auth, "POST", "/token?grant_type=password", password)
    assert claims(thief)["aal"] == "aal1"
    for change in ({"password": "another-fake-1"}, {"email": "thief@example.com"}):
        assert call(auth, thief, "PUT", "/user", change, 401)["error_code"] == "insufficient_aal"
    call(auth, thief, "PUT", "/user", {"data": {"n": 1}})
    assert enroll(auth, thief, "second", 403)["error_code"] == "insufficient_aal"
    path = f"/factors/{factor['id']}"
    assert call(auth, thief, "DELETE", path, status=422)["error_code"] == "insufficient_aal"
    stranger = signup(auth, "stranger@example.com")
    for method, end in (("DELETE", ""), ("POST", "/challenge"), ("POST", "/verify")):
        assert call(auth, stranger, method, path + end, {}, 404)["error_code"] == "mfa_factor_not_found"
    call(auth, owner, "PUT", "/user", {"password": "another-fake-1"})
    assert call(auth, owner, "DELETE", path) == {"id": factor["id"]}
    [left] = rows(auth, b"select aal, factor_id from auth.sessions where id = %s", claims(owner)["session_id"])
    assert left == {"aal": "aal1", "factor_id": None}


def test_codes_and_challenges_are_good_once_and_for_a_while(auth: Rest) -> None:
    session = signup(auth, "codes@example.com")
    factor = enroll(auth, session)
    secret, path = factor["totp"]["secret"], f"/factors/{factor['id']}"
    digits = "\uff10\uff11\uff12\uff13\uff14\uff15"  # full width
    for wrong in (code(secret, 3), "abcdef", "12345", "1234567", digits, code("A" * 32)):
        assert verify(auth, session, factor, wrong, 422)["error_code"] == "mfa_verification_failed"
    challenge = call(auth, session, "POST", f"{path}/challenge")
    assert 290 <= challenge["expires_at"] - time.time() <= 300 and challenge["type"] == "totp"
    body = {"challenge_id": challenge["id"], "code": code(secret)}
    assert call(auth, session, "POST", f"{path}/verify", body | {"code": ""}, 400)["error_code"] == "validation_failed"
    unknown = {"challenge_id": factor["id"]}
    assert call(auth, session, "POST", f"{path}/verify", body | unknown, 422)["error_code"] == "mfa_factor_not_found"
    url, headers = f"http://127.0.0.1:{auth.port}/auth/v1{path}/verify", {"authorization": bearer(session)}
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: httpx.post(url, json=body, headers=headers | {"apikey": auth.anon_key}), range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    [raised] = [answer.json() for answer in answers if answer.status_code == 200]
    old = call(auth, raised, "POST", f"{path}/challenge")
    with psycopg.connect(auth.db_url, autocommit=True) as connection:
        connection.execute("update auth.mfa_challenges set created_at = now() - interval '6 minutes'")
    late = {"challenge_id": old["id"], "code": code(secret)}
    assert call(auth, raised, "POST", f"{path}/verify", late, 422)["error_code"] == "mfa_challenge_expired"


def test_factors_have_limits_and_the_admin_sees_them(auth: Rest) -> None:
    session = signup(auth, "many@example.com")
    first = enroll(auth, session, "a")
    assert enroll(auth, session, "a", 422)["error_code"] == "mfa_factor_name_conflict"
    with ThreadPoolExecutor(4) as pool:
        url, headers = f"http://127.0.0.1:{auth.port}/auth/v1/factors", {"authorization": bearer(session)}
        bodies = [{"factor_type": "totp", "friendly_name": name} for name in "bcde"]
        made = list(
            pool.map(lambda one: httpx.post(url, json=one, headers=headers | {"apikey": auth.anon_key}), bodies)
        )
    assert sorted(answer.status_code for answer in made) == [200, 200, 422, 422]
    users = f"/admin/users/{session['user']['id']}"
    seen = admin(auth, "GET", f"{users}/factors")
    assert len(seen) == 3 and seen[0] | {"updated_at": 0, "created_at": 0} == {
        "id": first["id"],
        "friendly_name": "a",
        "factor_type": "totp",
        "status": "unverified",
        "phone": "",
        "last_challenged_at": None,
        "created_at": 0,
        "updated_at": 0,
    }
    path = f"{users}/factors/{first['id']}"
    assert admin(auth, "PUT", path, {"friendly_name": "renamed"})["friendly_name"] == "renamed"
    raised = verify(auth, session, first)
    assert admin(auth, "DELETE", path)["id"] == first["id"]
    [left] = rows(auth, b"select aal from auth.sessions where id = %s", claims(raised)["session_id"])
    assert left["aal"] == "aal1" and admin(auth, "GET", f"{users}/factors") == []
    ask(auth, "GET", f"{users}/factors", status=403)


def test_what_config_toml_leaves_out_is_refused(auth: Rest, tools: Toolchain) -> None:
    session = signup(auth, "kinds@example.com")
    for kind, name in (("phone", "phone"), ("webauthn", "webauthn")):
        answer = call(auth, session, "POST", "/factors", {"factor_type": kind}, 422)
        assert answer["error_code"] == f"mfa_{name}_enroll_not_enabled"
    assert call(auth, session, "POST", "/factors", {"factor_type": "x"}, 400)["error_code"] == "validation_failed"
    with rest_server(auth.db_url, tools, auth={"enable_anonymous_sign_ins": True}) as usual:
        assert enroll(usual, session, status=422)["error_code"] == "mfa_totp_enroll_not_enabled"
        nobody = ask(usual, "POST", "/signup", {})
        assert enroll(usual, nobody, status=403)["error_code"] == "no_authorization"


def test_a_hook_may_end_the_attempts(auth: Rest, tools: Toolchain) -> None:
    with psycopg.connect(auth.db_url, autocommit=True) as connection:
        connection.execute(HOOK)
    hook = {"mfa_verification_attempt": {"enabled": True, "uri": "pg-functions://postgres/public/attempt"}}
    with rest_server(auth.db_url, tools, auth={"mfa": MFA, "hook": hook}) as hooked:
        session = signup(hooked, "hooked@example.com")
        factor = enroll(hooked, session)
        raised = verify(hooked, session, factor)
        answer = verify(hooked, raised, factor, "000000", 403)
        assert (answer["error_code"], answer["msg"]) == ("mfa_verification_rejected", "enough")
        call(hooked, raised, "GET", "/user", status=403)


def test_the_picture_is_the_code(tools: Toolchain, tmp_path: Path) -> None:
    """The modules of a QR code of version 7 as the library qrcodegen makes them."""
    module = Path(embedded.__file__).parent / "auth" / "qr.mjs"
    text = "otpauth://totp/" + "x" * 95
    program = f"import {{ qrCode }} from {str(module)!r}; console.log(qrCode({text!r}));"
    (tmp_path / "program.mjs").write_text(program)
    svg = subprocess.run([tools.node, tmp_path / "program.mjs"], capture_output=True, text=True, check=True).stdout
    dark = sorted((int(y), int(x)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", svg))
    assert (
        hashlib.sha256(str([(y - 4, x - 4) for y, x in dark]).encode()).hexdigest()
        == "5f8eb856d35cbd9b398ffb8e3081f3e33d05864c33ae47a9e4134987397a0215"
    )
