"""Database URLs: what they name, what is shown of them, and what is refused."""

from __future__ import annotations

import socket

import pytest

from promthctl import database
from promthctl.database import connection
from promthctl.database.connection_errors import unreachable
from promthctl.errors import TargetError, UsageError
from promthctl.hosted.temporary_role import _as_role
from promthctl.redact import redact
from promthctl.targets import Target, from_url

PW = "fake-secret-pw"
HOSTED = "postgresql://postgres.abc@aws-0-x.pooler.example.com:6543/postgres?sslmode=require"
URLS = {
    # URL: (without its password, its password, database, label)
    f"postgresql://me:{PW}@db.example.com:6543/app": (
        "postgresql://me@db.example.com:6543/app",
        PW,
        "app",
        "database app at db.example.com:6543, user me",
    ),
    "postgres://me@h": ("postgresql://me@h:5432/postgres", None, "postgres", "database postgres at h:5432, user me"),
    "postgresql://h/": (
        "postgresql://postgres@h:5432/postgres",
        None,
        "postgres",
        "database postgres at h:5432, user postgres",
    ),
    " postgresql://me:fake%2Fpw%40%C3%A9@h/my%20app\n": (
        "postgresql://me@h:5432/my%20app",
        "fake/pw@é",
        "my app",
        "database my app at h:5432, user me",
    ),
    f"postgresql://u%40x:a:{PW}@[::1]:1/d": (
        "postgresql://u%40x@[::1]:1/d",
        f"a:{PW}",
        "d",
        "database d at [::1]:1, user u@x",
    ),
    HOSTED.replace("abc@", f"abc:{PW}@"): (
        HOSTED,
        PW,
        "postgres",
        "database postgres at aws-0-x.pooler.example.com:6543, user postgres.abc",
    ),
    f"postgresql://me@h/d?password={PW}&sslmode=require": (
        "postgresql://me@h:5432/d?sslmode=require",
        PW,
        "d",
        "database d at h:5432, user me",
    ),
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_taken_apart(url: str) -> None:
    target = from_url(url)
    assert (target.url, target.password, target.name, target.label) == URLS[url]
    assert target.environment() == ({"PGPASSWORD": target.password} if target.password else {})
    assert not target.local
    if target.password:
        assert target.password not in target.url + target.label + repr(target)
        assert redact(f"it said {target.password!s}") == "it said ********"


def test_the_password_of_the_url_goes_before_the_other() -> None:
    assert from_url(f"postgresql://u:{PW}@h/d", "fake-other").password == PW
    assert from_url("postgresql://u@h/d", "fake-other").password == "fake-other"
    assert from_url("postgresql://u:@h/d", "fake-other").password == "fake-other"


REFUSED = {
    "": "postgresql://",
    PW: "postgresql://",
    f"https://u:{PW}@h/d": "postgresql://",
    f"postgresql:///{PW}": "has no host",
    "postgresql://u@/d": "has no host",
    f"postgresql://u:{PW}@h:port/d": "cannot be read",
    f"postgresql://u:{PW}@h:99999/d": "cannot be read",
    f"postgresql://u:{PW}@[::1/d": "cannot be read",
    f"postgresql://u:p/{PW}@h/d": "cannot be read",
    f"postgresql://u:1/{PW}@h/d": "@ or #",
    f"postgresql://u:1#{PW}@h/d": "@ or #",
    f"postgresql://u:1?{PW}@h/d": "@ or #",
    "postgresql://u@h/d?dbname=other": "dbname",
    "postgresql://u@h/d?host=other&port=1": "host",
    f"postgresql://u@h/d?SSLPassword={PW}": "is written sslpassword",
    f"postgresql://u@h/d?%50ASSWORD={PW}": "is written password",
    f"postgresql://u@h/d?password={PW}&password=another": "two different values for password",
    f"postgresql://u:{PW}@h/d?pass%77ord=another": "two different values for password",
    f"postgresql://u@h/d?oauth_client_secret={PW}": "oauth_client_secret is a secret",
    f"postgresql://u@h/d?scram%5Fclient_key={PW}": "scram_client_key is a secret",
}


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_database_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_url(url)
    error = caught.value
    assert REFUSED[url] in error.why and "--db-url" in error.hint
    assert PW not in error.what + error.why + error.hint


@pytest.mark.parametrize("name", ["sslpassword", "ssl%70assword", "%73%73%6c%70%61%73%73%77%6f%72%64"])
def test_the_password_of_a_key_is_in_no_argument_and_no_message(name: str) -> None:
    secret = "key/pw-of-a-test"
    url = f"postgresql://me:{PW}@h/d?sslmode=require&{name}=key%2Fpw-of-a-test&sslkey=/k&{name}=key%2Fpw-of-a-test"
    target = from_url(url)
    assert target.url == "postgresql://me@h:5432/d?sslmode=require&sslkey=/k"
    assert target.environment() == {"PGPASSWORD": PW, "PGSSLPASSWORD": secret}
    assert target.key_password == secret and secret not in repr(target) + target.label
    assert redact(f"{secret} key%2Fpw-of-a-test") == "******** ********"


# What libpq or the CLI says: (why it is told, and a piece of what to do), for a database URL.
MESSAGES = {
    'connection failed: connection to server at "h", port 1 failed: FATAL:  password auth… failed': ("", "PGPASSWORD"),
    'connection failed: connection to server at "h", port 1 failed: FATAL:  database "d" does not exist': (
        "",
        "create it",
    ),
    'connection failed: connection to server at "h", port 1 failed: Connection refused\n\tIs the server …?': (
        "",
        "network",
    ),
    "failed to resolve host 'h': [Errno -2] Name or service not known": ("", "network"),
    "connection failed: server does not support SSL, but SSL was required": ("no encrypted", "sslmode=disable"),
    'connection failed: FATAL:  no pg_hba.conf entry for host "1", user "u", database "d", no encryption': (
        "encrypted connections only",
        "sslmode=require",
    ),
    "connection failed: SSL error: certificate verify failed": ("cannot be verified", "PGSSLROOTCERT"),
    "connection failed: FATAL:  Tenant or user not found": ("does not know this project or user", "--project-ref REF"),
    'permission denied to set role "postgres"': ("may not become postgres", "another user"),
    "": ("", "network"),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_a_failed_connection_is_explained(message: str) -> None:
    error = unreachable(from_url("postgresql://u@h/d"), message)
    meaning, hint = MESSAGES[message]
    assert "database d at h:5432" in error.what and error.exit_code == 4
    said = message.partition("\n")[0].removeprefix("connection failed: ") or "no answer"
    assert "\n" not in error.why and said in error.why and meaning in error.why and bool(meaning) == (error.why != said)
    assert hint in error.hint


def test_the_line_that_the_server_said_is_shown() -> None:
    message = "connection is bad\nMultiple connection attempts failed\n- host: 'h': FATAL:  oh\n- host: 'h': refused"
    assert unreachable(from_url("postgresql://u@h/d"), message).why == "- host: 'h': FATAL:  oh"


def test_a_host_with_an_ipv6_address_only_is_told() -> None:
    failed = 'connection to server at "2001:db8::1", port 5432 failed: Network is unreachable'
    error = unreachable(from_url("postgresql://u@[2001:db8::1]/d"), failed)
    assert "has an IPv6 address only" in error.why
    ref = "abcdefghijklmnopqrst"
    for said in (failed, f'could not translate host name "db.{ref}.supabase.co" to address: No address'):
        error = unreachable(from_url(f"postgresql://postgres@db.{ref}.supabase.co/postgres"), said)
        assert "has no IPv4 address" in error.why and f"--project-ref {ref}" in error.hint
    refused = 'connection to server at "2001:db8::1" failed: Connection refused'
    assert "IPv6" not in unreachable(from_url("postgresql://u@[2001:db8::1]/d"), refused).why


def test_a_temporary_role_s_password_is_asked_for_each_time() -> None:
    passwords = iter(("fake-first", "fake-second"))
    target = Target(
        "t", "postgresql://cli_login_postgres.abc@h:5432/d", sslmode="require", temporary=lambda: next(passwords)
    )
    assert target.steps_down and not from_url("postgresql://postgres.cli_login_x@h/d").steps_down
    assert target.environment() == {"PGPASSWORD": "fake-first", "PGSSLMODE": "require"}
    assert target.secret() == "fake-second"


def test_a_role_keeps_the_ending_by_which_the_pooler_knows_the_project() -> None:
    assert _as_role("postgresql://postgres.ref@h:5432/d", "cli", "ref") == "postgresql://cli.ref@h:5432/d"
    assert _as_role("postgresql://postgres@h:5432/d", "cli", "ref") == "postgresql://cli@h:5432/d"


def test_the_local_stack_is_mended_by_its_own_command() -> None:
    target = Target("the local stack", "postgresql://u@127.0.0.1:1/d", local=True)
    assert unreachable(target, "Connection refused").hint == "promthctl local up"


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CONNECT_SECONDS", 2)  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as mute:
        target = from_url(f"postgresql://u:{PW}@127.0.0.1:{mute.getsockname()[1]}/d")
        with pytest.raises(TargetError) as caught, database.connect(target):
            pass
    assert "timeout" in caught.value.why and PW not in str(caught.value)


# poolers, sockets


@pytest.mark.parametrize(
    "host",
    ["aws-0-eu-central-1.pooler.supabase.com", "AWS-1-us-east-1.pooler.supabase.com", f"db.{'a' * 20}.supabase.co"],
)
def test_supabase_s_transaction_port_becomes_its_session_port(host: str) -> None:
    moved = from_url(f"postgresql://postgres.abc@{host}:6543/postgres?sslmode=require")
    assert moved.url == f"postgresql://postgres.abc@{host.lower()}:5432/postgres?sslmode=require"
    assert f"{host.lower()}:5432" in moved.label and "6543" in moved.remark
    session = from_url(f"postgresql://postgres.abc@{host}/postgres?sslmode=require")
    assert (session.url, session.remark) == (moved.url, "")


@pytest.mark.parametrize(
    "host",
    ["db.example.com", "pooler.supabase.com.example.com", "127.0.0.1", f"{'a' * 20}.supabase.co", "x.supabase.com"],
)
def test_port_6543_of_another_host_is_left_alone(host: str) -> None:
    assert f"{host}:6543" in from_url(f"postgresql://{host}:6543/d").url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@%2Fvar%2Frun%2Fpostgresql/d",
        "postgresql://%2fvar%2frun:5433/d",
        "postgresql://u@%40abstract/d",
        "postgresql:///d?host=/tmp",
        "postgresql:///d?host=%2Ftmp&user=u",
        "postgresql://h/d?%68ost=/tmp",
        "postgresql://h/d?hostaddr=/tmp",
        "postgresql:///d",
        "postgresql://u@/d",
        "postgresql://:5433/d",
    ],
)
def test_a_unix_socket_is_refused_at_once(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        from_url(url)
    assert "Unix socket" in raised.value.what + raised.value.why and "postgresql://USER@" in raised.value.hint


@pytest.mark.parametrize(
    "url", ["postgresql://h/my app", "postgresql://u:a b@h/d", "postgresql://h/d?a=b c", "postgresql://h/a\tb"]
)
def test_a_space_is_told_from_what_follows_the_question_mark(url: str) -> None:
    with pytest.raises(UsageError, match="a space is written %20"):
        from_url(url)


def test_a_name_that_libpq_unescapes_cannot_hide_another_host() -> None:
    with pytest.raises(UsageError, match="its parameter host would connect to another database"):
        from_url("postgresql://h/d?%68ost=other")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgresql://127.0.0.1:1/d?nonsense=1", "correct what follows the ?"),
        ("postgresql://127.0.0.1:1/d?sslmode", "correct what follows the ?"),
        ("postgresql://127.0.0.1:1/d%zz", "is written %25"),
        ("postgresql://a%zz@127.0.0.1:1/d", "is written %25"),
    ],
)
def test_what_libpq_cannot_read_is_named(url: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised, database.connect(from_url(url)):
        pass
    assert hint in raised.value.hint
