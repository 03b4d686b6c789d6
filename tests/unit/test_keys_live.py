"""`keys check --live`: one tiny request for each key, nowhere but where it belongs, none waited for too long."""

from __future__ import annotations

import datetime
import ipaddress
import re
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from promthctl.keys.live_check import LiveAnswer, LiveOptions, LiveRequest, try_keys
from tests.loopback_api import Api, api

HERE = frozenset({"127.0.0.1", "keys.promthctl.invalid", "plain.example"})


@pytest.fixture
def server() -> Iterator[Api]:
    with api() as running:
        yield running


def answers(server: Api, *words: str, seconds: float = 10.0, jobs: int = 8) -> list[LiveAnswer]:
    requests = [LiveRequest(f"{server.url}/v1/", f"ep-{word}", f"fake-key-{word}") for word in words]
    return try_keys(requests, LiveOptions(jobs, seconds, HERE))


def test_a_key_is_tried_with_a_completion_of_one_token(server: Api) -> None:
    (answer,) = answers(server, "ok")
    assert answer.fault is None and 0 <= answer.milliseconds < 10_000
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer fake-key-ok"
    assert (body["model"], body["max_tokens"], len(body["messages"])) == ("ep-ok", 1, 1)


def test_a_key_without_a_model_is_tried_on_the_list_of_models(server: Api) -> None:
    (answer,) = try_keys([LiveRequest(f"{server.url}/v1", None, "fake-key-ok")], LiveOptions(1, 10, HERE))
    assert answer.fault is None
    assert [path for path, _, _ in server.asked] == ["/v1/models"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("401", "the key is refused (HTTP 401)"),
        ("403", "the key is refused (HTTP 403)"),
        ("402", "no credit"),
        ("429", "too many requests, or the quota is used up"),
        ("404", "does not know the model, or the base_url is wrong"),
        ("unknown", "does not know the model"),
        ("model", "does not know the model"),
        ("bad", "refused the request (HTTP 400)"),
        ("500", "the API failed (HTTP 500)"),
        ("503", "the API failed (HTTP 503)"),
        ("html", "not that of an OpenAI-compatible API"),
        ("redirect", "it redirects elsewhere"),
    ],
)
def test_each_refusal_is_told_by_its_class_and_quotes_nothing(server: Api, word: str, said: str) -> None:
    (answer,) = answers(server, word)
    assert answer.fault is not None and said in answer.fault
    assert "fake-key" not in answer.fault and "Incorrect" not in answer.fault
    assert [path for path, _, _ in server.asked] == ["/v1/chat/completions"]  # a redirect is not followed


@pytest.mark.parametrize("word", ["slow", "drip"])
def test_the_time_limit_holds_for_the_whole_answer(server: Api, word: str) -> None:
    start = time.monotonic()
    slow, quick = answers(server, word, "ok", seconds=1.5)
    assert slow.fault == "no answer within 1.5 seconds"
    assert quick.fault is None
    assert time.monotonic() - start < 20  # of thirty the server would take


def test_as_many_requests_at_a_time_as_there_are_jobs_and_no_more(server: Api) -> None:
    server.together = threading.Barrier(4)  # with fewer at a time, none would be answered
    found = answers(server, *["together"] * 20, jobs=4, seconds=60)
    assert [answer.fault for answer in found] == [None] * 20
    assert server.busy == 4


def test_answers_come_in_the_order_of_the_questions(server: Api) -> None:
    found = answers(server, "wait", "401", "ok", "429", "wait")
    assert [bool(answer.fault) for answer in found] == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("http://keys.example.com/v1", "not https"),
        ("ftp://127.0.0.1/v1", "not a URL"),
        ("http://[::1", "not a URL"),
        ("", "not a URL"),
        ("https://", "not a URL"),
        ("https://keys.promthctl.invalid/v1", "DNS"),
        ("http://127.0.0.1:1/v1", "nothing answers"),
    ],
)
def test_where_a_key_must_not_or_cannot_go(base_url: str, said: str) -> None:
    (answer,) = try_keys([LiveRequest(base_url, "ep-1", "fake-key-ok")], LiveOptions(1, 10, HERE))
    assert answer.fault is not None and said in answer.fault


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.openai.com.evil.example/v1",
        "https://api.openai.com@evil.example/v1",
        "https://evil.example/?api.openai.com",
        "https://api.openai.com:444/v1",
        "https://169.254.169.254/latest",
        "http://[::1]:5432/",
        "http://localhost:54321/",
    ],
)
def test_a_row_does_not_choose_where_its_key_goes(base_url: str, server: Api) -> None:
    hosts = frozenset({"api.openai.com:443"})
    (answer,) = try_keys([LiveRequest(base_url, "ep-1", "fake-key-ok", hosts)], LiveOptions(1, 10))
    assert answer.fault is not None and "nothing was sent (--allow-host " in answer.fault
    (answer,) = try_keys([LiveRequest(server.url, "ep-1", "fake-key-ok", hosts)], LiveOptions(1, 10))
    assert answer.fault is not None and server.asked == []
    allowed = re.findall("--allow-host (.*) allows", answer.fault)
    (answer,) = try_keys(
        [LiveRequest(server.url, "ep-1", "fake-key-ok", hosts)], LiveOptions(1, 10, frozenset(allowed))
    )
    assert answer.fault is None


def test_a_key_no_header_can_carry_is_not_sent(server: Api) -> None:
    for key in ("fake key", "fake\r\nX-Other: 1", "кey", ""):
        (answer,) = try_keys([LiveRequest(server.url, "ep-1", key)], LiveOptions(1, 10, HERE))
        assert answer.fault is not None
    assert server.asked == []


def test_a_proxy_is_not_asked_for_loopback(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (answer,) = answers(server, "ok")
    assert answer.fault is None


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that only its own file vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    today = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "loopback.pem"
    file.write_bytes(key.private_bytes(*form) + signed.public_bytes(serialization.Encoding.PEM))
    return file


def test_a_certificate_nobody_vouches_for_gets_no_key(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with api(tls) as server:
        (answer,) = answers(server, "ok")
        assert answer.fault is not None and answer.fault.startswith("TLS:")
        assert server.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        (answer,) = answers(server, "ok")
        assert answer.fault is None and len(server.asked) == 1
