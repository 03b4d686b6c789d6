"""Auth's answers and rows: what supabase-py is told, what a policy and a trigger see, and what config.toml changes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import psycopg
import pytest
from psycopg.rows import dict_row

from promthctl.toolchain import Toolchain
from tests.rest_server import SECRET, Rest, rest_server, token
from tests.servers import Server, fresh_database

PASSWORD = "a-fake-pass-1"
SITE = "http://127.0.0.1:3000"
STRICT = {
    "site_url": "https://app.example.com",
    "additional_redirect_urls": ["myapp://**", "https://*.example.org/welcome"],
    "enable_anonymous_sign_ins": True,
    "minimum_password_length": 8,
    "password_requirements": "letters_digits",
    "jwt_expiry": 120,
    "refresh_token_reuse_interval": 0,
    "email": {"enable_confirmations": True, "max_frequency": "0s"},
    "sms": {"enable_confirmations": True},
    "hook": {"custom_access_token": {"enabled": True, "uri": "pg-functions://postgres/public/token_hook"}},
}
SCHEMA = b"""
create table public.seen (email text, role text, by text, meta jsonb);
grant insert on public.seen to supabase_auth_admin;
create function public.on_user() returns trigger language plpgsql as $$ begin
  if new.email like 'refused%' then raise exception 'not this one'; end if;
  insert into public.seen values (new.email, new.role, current_user, new.raw_user_meta_data); return new; end $$;
create trigger on_user after insert on auth.users for each row execute function public.on_user();
create function public.token_hook(event jsonb) returns jsonb language plpgsql as $$ begin
  if event -> 'claims' ->> 'email' like 'stopped%' then
    return '{"error": {"http_code": 403, "message": "not you"}}'; end if;
  return jsonb_set(event, '{claims,plan}', '"pro"'); end $$;
grant execute on function public.token_hook to supabase_auth_admin;
create function public.claims() returns jsonb language sql as $$ select auth.jwt() $$;
"""


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mail") / "mail.jsonl"


@pytest.fixture(scope="module")
def auth(server: Server, tools: Toolchain, mail: Path) -> Iterator[Rest]:
    """With the defaults of config.toml but phones and anonymous users."""
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SCHEMA)
        table = {"enable_anonymous_sign_ins": True, "sms": {"enable_signup": True}, "email": {"max_frequency": "0s"}}
        with rest_server(url, tools, auth=table, mail_file=mail) as running:
            yield running


@pytest.fixture(scope="module")
def strict(auth: Rest, tools: Toolchain, mail: Path) -> Iterator[Rest]:
    with rest_server(auth.db_url, tools, auth=STRICT, mail_file=mail) as running:
        yield running


def ask(auth: Rest, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
    """One request with the anon key; its JSON."""
    answer = auth.auth(method, path, body, key=auth.anon_key, **headers)
    assert answer.status == status, answer
    return answer.json if answer.text else answer


def admin(auth: Rest, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    return ask(auth, method, path, body, status, authorization=f"Bearer {auth.service_key}")


def bearer(session: Any) -> str:
    return f"Bearer {session['access_token']}"


def claims(session: Any) -> dict[str, Any]:
    return jwt.decode(session["access_token"], SECRET, ["HS256"], audience="authenticated")


def signup(auth: Rest, email: str, **more: Any) -> Any:
    return ask(auth, "POST", "/signup", {"email": email, "password": PASSWORD} | more)


def rows(auth: Rest, query: bytes, *values: Any) -> list[dict[str, Any]]:
    with psycopg.connect(auth.db_url, row_factory=dict_row) as connection:
        return connection.execute(query, values).fetchall()


def last_mail(mail: Path) -> dict[str, Any]:
    assert mail.stat().st_mode & 0o777 == 0o600
    message: dict[str, Any] = json.loads(mail.read_text().splitlines()[-1])
    return message


def follow(auth: Rest, link: str) -> tuple[str, dict[str, str]]:
    """Open a link without a key; where it leads, and the parameters there."""
    parts = urlsplit(link)
    answer = httpx.get(f"http://127.0.0.1:{auth.port}{parts.path}?{parts.query}")
    assert answer.status_code == 303, answer.text
    target, _, fragment = answer.headers["location"].partition("#")
    parts = urlsplit(target)
    return target.partition("?")[0], dict(parse_qsl(fragment, True)) | dict(parse_qsl(parts.query))


def test_a_session_has_the_claims_that_policies_ask_for(auth: Rest) -> None:
    session = signup(auth, "Claims@Example.com", data={"n": [1, None]})
    said, user = claims(session), session["user"]
    assert {"iss", "aud", "exp", "iat", "session_id"} < said.keys()
    assert said["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert said["user_metadata"]["n"] == [1, None] and said["user_metadata"]["email_verified"] is True
    assert (said["email"], said["phone"], said["role"], said["aal"]) == (
        "claims@example.com",
        "",
        "authenticated",
        "aal1",
    )
    assert said["is_anonymous"] is False and said["amr"][0]["method"] == "password"
    assert said["iss"] == f"http://127.0.0.1:{auth.port}/auth/v1"
    seen = auth.ask("POST", "/rpc/claims", {}, key=auth.anon_key, authorization=bearer(session)).json
    assert seen == said
    [row] = rows(auth, b"select * from auth.users where id = %s", user["id"])
    assert row["encrypted_password"].startswith("$2") and PASSWORD not in str(row)
    assert (str(row["instance_id"]), row["confirmation_token"], row["email_change"]) == (
        f"{0:08}-0000-0000-0000-{0:012}",
        "",
        "",
    )
    [kept] = rows(auth, b"select * from auth.sessions where id = %s", said["session_id"])
    assert kept["aal"] == "aal1" and str(kept["user_id"]) == user["id"]
    [identity] = rows(auth, b"select * from auth.identities where user_id = %s", user["id"])
    assert (identity["provider"], identity["provider_id"], identity["email"]) == (
        "email",
        user["id"],
        "claims@example.com",
    )
    [seen] = rows(auth, b"select * from public.seen where email = 'claims@example.com'")
    assert (seen["role"], seen["by"], seen["meta"]) == ("", "supabase_auth_admin", {"n": [1, None]})


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/signup", {"email": "taken@example.com", "password": PASSWORD}, 422, "user_already_exists"),
        ("/signup", {"email": "no-address", "password": PASSWORD}, 400, "validation_failed"),
        ("/signup", {"email": "x@example.com", "password": "short"}, 422, "weak_password"),
        ("/signup", {"email": "x@example.com", "password": "x" * 73}, 400, "validation_failed"),
        ("/signup", {"email": "refused@example.com", "password": PASSWORD}, 500, "unexpected_failure"),
        ("/signup", "no json", 400, "bad_json"),
        ("/signup", {"email": ["x@example.com"], "password": PASSWORD}, 400, "bad_json"),
        ("/signup", {"email": "x@example.com", "password": PASSWORD, "data": "text"}, 400, "bad_json"),
        ("/token?grant_type=password", {"email": "taken@example.com", "password": "wrong"}, 400, "invalid_credentials"),
        ("/token?grant_type=password", {"email": "nobody@example.com", "password": "x"}, 400, "invalid_credentials"),
        ("/token?grant_type=refresh_token", {"refresh_token": "unknown"}, 400, "refresh_token_not_found"),
        ("/token?grant_type=id_token", {"provider": "google"}, 501, "not_implemented"),
        ("/verify", {"type": "email", "email": "taken@example.com", "token": "000000"}, 403, "otp_expired"),
        ("/verify", {"type": "recovery", "token_hash": "unknown"}, 403, "otp_expired"),
        ("/otp", {"email": "nobody@example.com", "create_user": False}, 422, "otp_disabled"),
        ("/otp", {"phone": "+4912345"}, 501, "not_implemented"),
        ("/sso", {"domain": "example.com"}, 404, "saml_provider_disabled"),
        ("/factors", {"factor_type": "totp"}, 403, "bad_jwt"),
        ("/admin/users", {"email": "x@example.com"}, 403, "not_admin"),
        ("/invite", {"email": "x@example.com"}, 403, "not_admin"),
    ],
)
def test_a_refusal_is_gotrues(auth: Rest, path: str, body: Any, status: int, code: str) -> None:
    auth.auth("POST", "/signup", {"email": "taken@example.com", "password": PASSWORD}, key=auth.anon_key)
    said = ask(auth, "POST", path, body, status, x_supabase_api_version="2024-01-01")
    assert said["code"] == code and said["message"]
    old = ask(auth, "POST", path, body, status)
    if old["code"] == "P0001":  # a trigger's own words, to clients that ask for no version
        assert old["message"] == "not this one"
    else:
        assert (old["code"], old["error_code"], old["msg"]) == (status, code, said["message"])
    if status == 501:
        assert "--engine docker" in said["hint"]
    assert not rows(auth, b"select from auth.users where email in ('x@example.com', 'refused@example.com')")


def test_a_refresh_token_is_used_once(auth: Rest, strict: Rest) -> None:
    first = signup(auth, "refresh@example.com")
    again = {"refresh_token": first["refresh_token"]}
    second = ask(auth, "POST", "/token?grant_type=refresh_token", again)
    assert second["refresh_token"] != first["refresh_token"]
    assert claims(second)["session_id"] == claims(first)["session_id"]
    # A client that lost the answer gets the same one again; a thief of an old one ends the session.
    assert ask(auth, "POST", "/token?grant_type=refresh_token", again)["refresh_token"] == second["refresh_token"]
    third = ask(strict, "POST", "/token?grant_type=refresh_token", {"refresh_token": second["refresh_token"]})
    assert third["expires_in"] == 120 and claims(third)["plan"] == "pro"
    used = ask(strict, "POST", "/token?grant_type=refresh_token", again, 400)
    assert used["error_code"] == "refresh_token_already_used"
    ask(strict, "POST", "/token?grant_type=refresh_token", {"refresh_token": third["refresh_token"]}, 400)


def test_signing_out_ends_sessions(auth: Rest) -> None:
    one = signup(auth, "out@example.com")
    login = {"email": "out@example.com", "password": PASSWORD}
    two, three = (ask(auth, "POST", "/token?grant_type=password", login) for _ in range(2))
    ask(auth, "POST", "/logout?scope=local", status=204, authorization=bearer(one))
    assert ask(auth, "GET", "/user", status=403, authorization=bearer(one))["error_code"] == "session_not_found"
    ask(auth, "POST", "/logout?scope=others", status=204, authorization=bearer(two))
    ask(auth, "GET", "/user", status=403, authorization=bearer(three))
    assert ask(auth, "GET", "/user", authorization=bearer(two))["email"] == "out@example.com"
    ask(auth, "POST", "/logout", status=204, authorization=bearer(two))
    ask(auth, "POST", "/token?grant_type=refresh_token", {"refresh_token": two["refresh_token"]}, 400)


def test_a_forged_token_is_nobodys(auth: Rest) -> None:
    session = signup(auth, "forged@example.com")
    head, body, _ = session["access_token"].split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    sub = session["user"]["id"]
    for forged in (
        f"{head}.{body}.AAAA",
        f"{none}.{body}.",
        token(sub=sub, exp=1),
        token(_secret="another", sub=sub),
        "x",
    ):
        assert ask(auth, "GET", "/user", status=403, authorization=f"Bearer {forged}")["error_code"] == "bad_jwt"
        assert ask(auth, "GET", "/admin/users", status=403, authorization=f"Bearer {forged}")
    ask(auth, "GET", "/admin/users", status=403, authorization=bearer(session))
    assert ask(auth, "GET", "/admin/users", status=403)["error_code"] == "not_admin"


def test_an_admin_makes_finds_changes_and_removes_users(auth: Rest) -> None:
    wanted = {
        "id": "11111111-2222-4333-8444-555555555555",
        "email": "made@example.com",
        "phone": "+49 1234",
        "password_hash": "$2a$04$7Y7u3AIvcQUhkFNYQyQbcOX1oqCj2QCY3Yv0eMVdqQzW0GDvNG8Oe",
        "email_confirm": True,
        "ban_duration": "1h30m",
        "app_metadata": {"tier": "gold"},
        "user_metadata": {"name": "M"},
    }
    made = admin(auth, "POST", "/admin/users", wanted)
    assert made["id"] == wanted["id"] and made["phone"] == "491234" and made["banned_until"]
    assert made["app_metadata"] == {"provider": "email", "providers": ["email", "phone"], "tier": "gold"}
    assert made["user_metadata"] == {"name": "M", "email_verified": True} and made["email_confirmed_at"]
    assert {one["provider"] for one in made["identities"]} == {"email", "phone"}
    banned = ask(auth, "POST", "/token?grant_type=password", {"email": "made@example.com", "password": "x"}, 400)
    assert banned["error_code"] == "user_banned"
    path = f"/admin/users/{wanted['id']}"
    change = {
        "ban_duration": "none",
        "password": PASSWORD,
        "app_metadata": {"tier": None},
        "user_metadata": {"name": "N"},
    }
    changed = admin(auth, "PUT", path, change | {"email": "Moved@example.com"})
    assert "banned_until" not in changed and "tier" not in changed["app_metadata"]
    assert (changed["user_metadata"]["name"], changed["email"]) == ("N", "moved@example.com")
    session = ask(auth, "POST", "/token?grant_type=password", {"email": "moved@example.com", "password": PASSWORD})
    assert admin(auth, "POST", "/admin/users", {"email": "moved@example.com"}, 422)["error_code"] == "email_exists"
    assert admin(auth, "GET", path)["id"] == wanted["id"]
    admin(auth, "DELETE", path, {"should_soft_delete": True})
    [kept] = rows(auth, b"select * from auth.users where id = %s", wanted["id"])
    assert kept["deleted_at"] and "@" not in kept["email"] and kept["raw_user_meta_data"] == {}
    ask(auth, "GET", "/user", status=403, authorization=bearer(session))
    admin(auth, "DELETE", path)
    assert admin(auth, "GET", path, status=404)["error_code"] == "user_not_found"
    admin(auth, "GET", "/admin/users/1", status=404)


def test_users_are_listed_in_pages(auth: Rest) -> None:
    for number in range(5):
        admin(auth, "POST", "/admin/users", {"email": f"page{number}@example.com"})
    service = {"key": auth.service_key, "authorization": f"Bearer {auth.service_key}"}
    first = auth.auth("GET", "/admin/users?page=1&per_page=2&filter=page", **service)
    assert [user["email"] for user in first.json["users"]] == ["page4@example.com", "page3@example.com"]
    assert first.headers["x-total-count"] == "5"
    assert (
        'page=2&per_page=2>; rel="next"' in first.headers["link"]
        and 'page=3&per_page=2>; rel="last"' in first.headers["link"]
    )
    last = auth.auth("GET", "/admin/users?page=3&per_page=2&filter=page", **service)
    assert [user["email"] for user in last.json["users"]] == ["page0@example.com"] and "next" not in last.headers[
        "link"
    ]
    assert auth.auth("GET", "/admin/users?page=x", **service).status == 400


@pytest.mark.parametrize("kind", ["magiclink", "recovery", "invite", "signup", "email_change_new"])
@pytest.mark.parametrize("way", ["link", "token_hash", "code"])
def test_a_generated_link_opens_once(auth: Rest, kind: str, way: str) -> None:
    email = f"{kind}.{way}@example.com"
    body = {"type": kind, "email": email, "password": PASSWORD, "new_email": f"new.{email}", "data": {"a": 1}}
    if kind not in ("invite", "signup"):
        signup(auth, email)
    made = admin(auth, "POST", "/admin/generate_link", body | {"redirect_to": f"{SITE}/in"})
    opens = "email_change" if kind == "email_change_new" else kind
    used = f"new.{email}" if kind == "email_change_new" else email
    given = {"token_hash": made["hashed_token"]} if way == "token_hash" else {"email": used, "token": made["email_otp"]}
    if way == "link":
        target, found = follow(auth, made["action_link"])
        assert target == f"{SITE}/in" and found["type"] == opens, found
        assert ask(auth, "GET", "/user", authorization=bearer(found))["email"] == used
        assert follow(auth, made["action_link"])[1]["error_code"] == "otp_expired"
    else:
        session = ask(auth, "POST", "/verify", {"type": opens, **given})
        assert (session["user"]["email"], claims(session)["amr"][0]["method"]) == (used, "otp")
        ask(auth, "POST", "/verify", {"type": opens, **given}, 403)
    [user] = rows(auth, b"select * from auth.users where email = %s", used)
    assert user["email_confirmed_at"] and not rows(
        auth, b"select from auth.one_time_tokens where user_id = %s", user["id"]
    )


@pytest.mark.parametrize(
    ("wanted", "leads"),
    [
        ("https://app.example.com/a?b=c#d", True),
        ("myapp://callback/x", True),
        ("https://eu.example.org/welcome", True),
        ("https://eu.west.example.org/welcome", False),
        ("https://app.example.com.evil.org/", False),
        ("https://app.example.com@evil.org/", False),
        ("http://app.example.com/", False),
        ("//evil.org", False),
        ("javascript:alert(1)", False),
    ],
)
def test_a_link_leads_only_where_config_toml_says(strict: Rest, mail: Path, wanted: str, leads: bool) -> None:
    if not rows(strict, b"select from auth.users where email = 'leads@example.com'"):
        admin(strict, "POST", "/admin/users", {"email": "leads@example.com", "email_confirm": True})
    asked = str(httpx.QueryParams({"redirect_to": wanted}))
    ask(strict, "POST", f"/otp?{asked}", {"email": "leads@example.com"})
    message = last_mail(mail)
    assert (message["to"], message["type"]) == ("leads@example.com", "magiclink")
    target, _ = follow(strict, message["link"])
    assert target == (wanted.split("#")[0].split("?")[0] if leads else "https://app.example.com/")


def test_a_link_of_pkce_gives_a_code(strict: Rest, mail: Path) -> None:
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    body = {
        "email": "pkce@example.com",
        "password": PASSWORD,
        "code_challenge": challenge,
        "code_challenge_method": "s256",
    }
    made = ask(strict, "POST", "/signup?redirect_to=myapp://in", body)
    assert "access_token" not in made and made["confirmation_sent_at"]
    login = {"email": "pkce@example.com", "password": PASSWORD}
    assert ask(strict, "POST", "/token?grant_type=password", login, 400)["error_code"] == "email_not_confirmed"
    target, found = follow(strict, last_mail(mail)["link"])
    assert target == "myapp://in" and found.keys() == {"code"}
    code = {"auth_code": found["code"], "code_verifier": "w" * 50}
    assert ask(strict, "POST", "/token?grant_type=pkce", code, 400)["error_code"] == "bad_code_verifier"
    session = ask(strict, "POST", "/token?grant_type=pkce", code | {"code_verifier": verifier})
    assert claims(session)["amr"][0]["method"] == "email/signup"
    ask(strict, "POST", "/token?grant_type=pkce", code | {"code_verifier": verifier}, 404)


def test_both_addresses_confirm_a_change(strict: Rest, mail: Path) -> None:
    admin(strict, "POST", "/admin/users", {"email": "old@example.com", "password": PASSWORD, "email_confirm": True})
    session = ask(strict, "POST", "/token?grant_type=password", {"email": "old@example.com", "password": PASSWORD})
    changing = ask(strict, "PUT", "/user", {"email": "next@example.com"}, authorization=bearer(session))
    assert (changing["email"], changing["new_email"]) == ("old@example.com", "next@example.com")
    messages = [json.loads(line) for line in mail.read_text().splitlines()[-2:]]
    assert [message["to"] for message in messages] == ["old@example.com", "next@example.com"]
    first = ask(
        strict, "POST", "/verify", {"type": "email_change", "email": "old@example.com", "token": messages[0]["code"]}
    )
    assert "other email" in first["msg"]
    second = ask(
        strict, "POST", "/verify", {"type": "email_change", "email": "next@example.com", "token": messages[1]["code"]}
    )
    assert (
        second["user"]["email"] == "next@example.com" and second["user"]["identities"][0]["email"] == "next@example.com"
    )


def test_passwords_are_as_strong_as_config_toml_says(strict: Rest) -> None:
    for password in ("abc1", "abcdefghij", "1234567890"):
        weak = ask(strict, "POST", "/signup", {"email": "weak@example.com", "password": password}, 422)
        assert weak["error_code"] == "weak_password" and weak["weak_password"]["reasons"]
    signup(strict, "weak@example.com")


def test_anonymous_users_become_permanent(auth: Rest, strict: Rest) -> None:
    session = ask(auth, "POST", "/signup", {"data": {"guest": True}})
    assert claims(session)["is_anonymous"] is True and session["user"]["identities"] == []
    user = ask(auth, "PUT", "/user", {"email": "named@example.com"}, authorization=bearer(session))
    assert (user["email"], user["is_anonymous"]) == ("named@example.com", False)
    ask(auth, "PUT", "/user", {"password": PASSWORD}, authorization=bearer(session))
    assert (
        ask(auth, "PUT", "/user", {"password": PASSWORD}, 422, authorization=bearer(session))["error_code"]
        == "same_password"
    )
    refused = ask(strict, "POST", "/signup", {"email": "stopped@example.com", "password": PASSWORD})
    assert refused["confirmation_sent_at"]
    ask(auth, "PUT", "/user", {"app_metadata": {"role": "admin"}}, 403, authorization=bearer(session))


def test_a_hook_may_refuse_a_token(auth: Rest, strict: Rest) -> None:
    admin(
        strict,
        "POST",
        "/admin/users",
        {"email": "stopped.too@example.com", "password": PASSWORD, "email_confirm": True},
    )
    login = {"email": "stopped.too@example.com", "password": PASSWORD}
    said = ask(strict, "POST", "/token?grant_type=password", login, 403)
    assert said["msg"] == "not you"
    assert not rows(
        auth, b"select from auth.sessions s join auth.users u on u.id = s.user_id where u.email = %s", login["email"]
    )


def test_signing_up_twice_does_not_tell_that_the_address_is_taken(strict: Rest) -> None:
    admin(strict, "POST", "/admin/users", {"email": "there@example.com", "email_confirm": True})
    taken, free = (signup(strict, email) for email in ("there@example.com", "not.there@example.com"))
    assert "confirmation_sent_at" in taken and taken.keys() <= free.keys()
    assert not rows(strict, b"select from auth.users where id = %s", taken["id"])


def test_supabase_py_signs_in_and_manages_users(auth: Rest) -> None:
    from supabase import create_client
    from supabase.lib.client_options import SyncClientOptions

    url = f"http://127.0.0.1:{auth.port}"
    server = create_client(url, auth.service_key, SyncClientOptions(auto_refresh_token=False, persist_session=False))
    made = server.auth.admin.create_user({"email": "py@example.com", "password": PASSWORD, "email_confirm": True})
    client = create_client(url, auth.anon_key, SyncClientOptions(auto_refresh_token=False, persist_session=False))
    session = client.auth.sign_in_with_password({"email": "py@example.com", "password": PASSWORD}).session
    assert session is not None and session.user.id == made.user.id
    assert client.rpc("claims").execute().data["sub"] == made.user.id
    assert made.user.id in {user.id for user in server.auth.admin.list_users(per_page=1000)}
    server.auth.admin.delete_user(made.user.id)
