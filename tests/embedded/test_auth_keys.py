"""Tokens signed with keys of `[auth] signing_keys_path`: who takes them, and what else nobody takes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from promthctl import settings
from promthctl.engines.embedded.auth_settings import signing_keys
from promthctl.errors import UsageError
from promthctl.toolchain import Toolchain
from tests.embedded.test_auth import ask, bearer, signup
from tests.rest_server import SECRET, Rest, rest_server, token
from tests.servers import Server, fresh_database

CURVE, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
KEYS = {
    "ES256": [ECAlgorithm.to_jwk(CURVE, as_dict=True) | {"kid": "curve"}],
    "RS256": [RSAAlgorithm.to_jwk(RSA, as_dict=True) | {"kid": "rsa"}],
}
CLAIMS = {"role": "service_role", "aud": "authenticated", "sub": "00000000-0000-4000-8000-000000000001"}


@pytest.fixture(scope="module", params=KEYS)
def auth(request: pytest.FixtureRequest, server: Server, tools: Toolchain, tmp_path_factory: Any) -> Iterator[Rest]:
    folder = tmp_path_factory.mktemp("storage")
    keys = KEYS[request.param]
    with fresh_database(server) as url, rest_server(url, tools, signing_keys=keys, folder=folder) as running:
        yield running


def answers(auth: Rest, bearer_token: str) -> list[int]:
    """What REST (of a table that is not there), Auth and Storage say to a token."""
    headers = {"apikey": auth.anon_key, "authorization": f"Bearer {bearer_token}"}
    url = f"http://127.0.0.1:{auth.port}"
    paths = ("/rest/v1/none", "/auth/v1/admin/users", "/storage/v1/bucket")
    return [httpx.get(url + path, headers=headers).status_code for path in paths]


def test_users_get_tokens_that_everybody_can_check(auth: Rest) -> None:
    session = signup(auth, "keys@example.com")
    [key] = ask(auth, "GET", "/.well-known/jwks.json")["keys"]
    assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi"}
    read = jwt.decode(session["access_token"], jwt.PyJWK(key), [key["alg"]], audience="authenticated")
    assert read["email"] == "keys@example.com"
    assert jwt.get_unverified_header(session["access_token"])["kid"] == key["kid"]
    assert ask(auth, "GET", "/user", authorization=bearer(session))["id"] == session["user"]["id"]
    assert auth.ask("GET", "/none", key=auth.anon_key, authorization=bearer(session)).status == 404
    headers = {"apikey": auth.anon_key, "authorization": bearer(session)}
    assert httpx.get(f"http://127.0.0.1:{auth.port}/storage/v1/bucket", headers=headers).json() == []
    assert answers(auth, token(role="service_role")) == [404, 200, 200]  # the stack's secret stays good


def test_no_other_key_and_no_confusion_of_keys_opens_anything(auth: Rest) -> None:
    [key] = ask(auth, "GET", "/.well-known/jwks.json")["keys"]
    private: Any = CURVE if key["alg"] == "ES256" else RSA
    stranger: Any = (
        ec.generate_private_key(ec.SECP256R1()) if key["alg"] == "ES256" else rsa.generate_private_key(65537, 2048)
    )
    assert answers(auth, jwt.encode(CLAIMS, private, key["alg"], {"kid": key["kid"]})) == [404, 200, 200]
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, signature = jwt.encode(CLAIMS, private, key["alg"]).split(".")
    other = "RS256" if key["alg"] == "ES256" else "ES256"
    forged = [
        jwt.encode(CLAIMS, stranger, key["alg"], {"kid": key["kid"]}),
        jwt.encode(CLAIMS, private, key["alg"], {"kid": "another"}),
        token(_secret=public.decode(), **CLAIMS),
        token(_secret=json.dumps(key), **CLAIMS),
        jwt.encode(CLAIMS, None, "none"),  # type: ignore[arg-type]
        f"{head}.{body}.",
        f"{head}.{body}x.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{jwt.utils.base64url_encode(json.dumps({'alg': other}).encode()).decode()}.{body}.{signature}",
        jwt.encode(CLAIMS | {"exp": 1}, private, key["alg"]),
        jwt.encode(CLAIMS, SECRET, "HS512"),
    ]
    for one in forged:
        assert all(status in (400, 401, 403) for status in answers(auth, one)), one


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '[{"kty": "oct", "k": "x"}]', '[{"kty": "EC", "x": "a"}]'])
def test_a_file_of_keys_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "supabase"
    folder.mkdir()
    (folder / "config.toml").write_text('[auth]\nsigning_keys_path = "./keys.json"\n')
    if content is not None:
        (folder / "keys.json").write_text(content)
    with pytest.raises(UsageError, match="signing_keys_path"):
        signing_keys(settings.load(tmp_path))
    (folder / "keys.json").write_text(json.dumps(KEYS["ES256"]))
    assert signing_keys(settings.load(tmp_path)) == KEYS["ES256"]


def test_a_key_that_the_supabase_cli_makes_is_taken(tmp_path: Path, supabase: Path) -> None:
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase" / "config.toml").write_text('project_id = "x"\n[auth]\nsigning_keys_path = "./keys.json"\n')
    with pytest.raises(UsageError, match="signing_keys_path") as caught:
        signing_keys(settings.load(tmp_path))
    assert "supabase gen signing-key --append" in (caught.value.hint or "")
    (tmp_path / "supabase" / "keys.json").write_text("[]")
    command: list[Path | str] = [supabase, "gen", "signing-key", "--append"]
    subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    [key] = signing_keys(settings.load(tmp_path))
    assert key["alg"] == "ES256" and key["kid"]
