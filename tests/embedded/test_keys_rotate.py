"""`keys rotate`: another secret opens every key, and no key is ever lost on the way, however it ends."""

from __future__ import annotations

import dataclasses
import functools
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from promthctl.keys.api_keys_table import ApiKeysTable, open_table
from promthctl.keys.encryption import DecryptionError, decrypt, encrypt, key_hash, masked_key
from promthctl.keys.rotation import RotationResult, RotationSecrets, plan_rotation, rotate_keys
from promthctl.resolve.api import ApiTarget
from promthctl.steps import Silent
from tests.servers import Stack
from tests.stored_keys import NEW_SECRET, SECRET, Row, Table, fake_key, stored, target

__all__ = ["stored", "target"]

BOTH = RotationSecrets("NEW_SECRET", SECRET, NEW_SECRET)
ENVIRONMENT = {"ENCRYPTION_SECRET": SECRET, "NEW_SECRET": NEW_SECRET}


def rotate(target: ApiTarget, both: RotationSecrets = BOTH, user: str | None = None) -> RotationResult:
    with open_table(target) as table:
        return rotate_keys(table, plan_rotation(table, both, user, Silent()), Silent())


def opened_by(row: Row, secret: str) -> bool:
    try:
        return key_hash(decrypt(row["encrypted_key"], secret)) == row["key_hash"]
    except DecryptionError:
        return False


def under(table: Table, secret: str) -> int:
    return sum(opened_by(row, secret) for row in table.rows().values())


def without(rows: dict[str, Row], *columns: str) -> dict[str, Row]:
    return {id_: {name: value for name, value in row.items() if name not in columns} for id_, row in rows.items()}


def test_every_key_is_re_encrypted_and_nothing_else_changes(stack: Stack, stored: Table) -> None:
    stored.put(stored.user(), range(1, 8))
    stored.put(stored.user(), range(8, 15), provider="openai")
    before = stored.rows()
    result = stack.project.json("keys", "rotate", "--new-secret-env", "NEW_SECRET", **ENVIRONMENT)
    assert (result["rows"], result["rotated"], result["already"], result["old_is_free"]) == (14, 14, 0, True)
    after = stored.rows()
    assert without(after, "encrypted_key", "updated_at") == without(before, "encrypted_key", "updated_at")
    assert (under(stored, NEW_SECRET), under(stored, SECRET)) == (14, 0)
    done = stack.project.run("keys", "rotate", "--new-secret-env", "NEW_SECRET", **ENVIRONMENT)
    assert "0 keys re-encrypted; 14 of 14 already were" in done.stdout
    assert "The old one may be discarded once" in done.stdout and "deployment" in done.stdout
    assert stored.rows() == after  # a second run writes nothing
    assert not [secret for secret in (SECRET, NEW_SECRET) if secret in done.stdout + done.stderr]


def test_a_mixture_that_a_killed_run_left_is_finished(stored: Table, target: ApiTarget) -> None:
    user = stored.user()
    stored.put(user, range(5), NEW_SECRET)
    stored.put(user, range(5, 12))
    result = rotate(target)
    assert (result.rotated, result.already, result.old_is_free) == (7, 5, True)
    assert under(stored, NEW_SECRET) == 12


def test_nothing_is_begun_while_a_row_is_readable_with_neither_secret(
    stack: Stack, stored: Table, target: ApiTarget
) -> None:
    user = stored.user()
    stored.put(user, [1, 2])
    (lost,) = stored.put(user, [3], "a secret that nobody remembers")
    (junk,) = stored.put(user, [4], encrypted_key="no token at all")
    before = stored.rows()
    done = stack.project.run("keys", "rotate", "--new-secret-env", "NEW_SECRET", code=5, **ENVIRONMENT)
    assert "decrypts 2 of 4 keys" in done.stderr
    assert lost in done.stderr and junk in done.stderr
    assert stored.rows() == before


def test_one_user_s_rotation_leaves_the_others_and_keeps_the_old_secret(stored: Table, target: ApiTarget) -> None:
    one, other = stored.user(), stored.user()
    stored.put(one, [1, 2])
    stored.put(other, [3, 4, 5])
    result = rotate(target, user=one)
    assert (result.rows, result.rotated, result.left, result.old_is_free, result.ok) == (2, 2, 3, False, True)
    assert (under(stored, NEW_SECRET), under(stored, SECRET)) == (2, 3)


def test_a_row_whose_hash_is_another_key_s_keeps_the_old_secret(stack: Stack, stored: Table) -> None:
    stored.put(stored.user(), [1, 2])
    (wrong,) = stored.put(stored.user(), [3], key_hash=key_hash("fake-other-key"))
    done = stack.project.run("keys", "rotate", "--new-secret-env", "NEW_SECRET", code=1, **ENVIRONMENT)
    assert wrong in done.stdout and "Keep the old secret" in done.stdout and "free" not in done.stdout


def test_a_very_long_key_is_rotated_too(stored: Table, target: ApiTarget) -> None:
    key = "fake-long-key-" + "%_*Zz09+/" * 900
    columns = {"encrypted_key": encrypt(key, SECRET), "key_hash": key_hash(key), "masked_key": masked_key(key)}
    (id_,) = stored.put(stored.user(), [1], **columns)
    assert rotate(target).old_is_free
    assert decrypt(stored.rows()[id_]["encrypted_key"], NEW_SECRET) == key


@pytest.mark.parametrize("length", [60, 8000])
def test_a_key_the_app_replaces_meanwhile_is_never_overwritten(
    stored: Table, target: ApiTarget, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """Between our reading and our writing the app stores another key, removes a row, and adds one."""
    user = stored.user()
    (replaced, removed, *_) = stored.put(user, range(5), encrypted_key=encrypt("x" * length, SECRET))
    key = "fake-key-the-app-stored-meanwhile"
    change = ApiKeysTable.change
    waiting = [True]

    def late(self: ApiKeysTable, changes: Any, *more: Any) -> int:
        if waiting:
            waiting.clear()
            stored.connection.execute(
                "update api_keys set encrypted_key = %s, key_hash = %s where id = %s",
                [encrypt(key, SECRET), key_hash(key), replaced],
            )
            stored.connection.execute("delete from api_keys where id = %s", [removed])
            stored.put(user, [77])
        return change(self, changes, *more)

    monkeypatch.setattr(ApiKeysTable, "change", late)
    result = rotate(target)
    rows = stored.rows()
    assert decrypt(rows[replaced]["encrypted_key"], NEW_SECRET) == key
    assert removed not in rows and len(rows) == 5
    assert {decrypt(row["encrypted_key"], NEW_SECRET) for row in rows.values()} == {key, "x" * length, fake_key(77)}
    assert result.left == 0


def test_an_app_that_goes_on_storing_under_the_old_secret_is_told(
    stored: Table, target: ApiTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = stored.user()
    stored.put(user, range(3))
    change = ApiKeysTable.change

    def late(self: ApiKeysTable, changes: Any, *more: Any) -> int:
        stored.put(user, [100 + len(stored.rows())])
        return change(self, changes, *more)

    monkeypatch.setattr(ApiKeysTable, "change", late)
    result = rotate(target)
    assert (result.left, result.old_is_free, result.ok) == (1, False, False)


@pytest.mark.parametrize(
    ("name", "environment", "code", "said"),
    [
        ("NEW_SECRET", {"ENCRYPTION_SECRET": SECRET}, 3, "There is no NEW_SECRET"),
        ("NEW_SECRET", {"ENCRYPTION_SECRET": SECRET, "NEW_SECRET": "  "}, 3, "There is no NEW_SECRET"),
        ("NEW_SECRET", {"ENCRYPTION_SECRET": "", "NEW_SECRET": NEW_SECRET}, 3, "There is no ENCRYPTION_SECRET"),
        ("NEW_SECRET", {"ENCRYPTION_SECRET": SECRET, "NEW_SECRET": SECRET}, 2, "not a new secret"),
        ("ENCRYPTION_SECRET", {"ENCRYPTION_SECRET": SECRET}, 2, "not a new secret"),
        ("what is this", {"ENCRYPTION_SECRET": SECRET}, 2, "not the name of a variable"),
        ("sk-fake0123456789abcdef", {"ENCRYPTION_SECRET": SECRET}, 2, "looks like a key"),
        ("0f1e2d3c4b5a69788796a5b4c3d2e1f0", {"ENCRYPTION_SECRET": SECRET}, 2, "looks like a key"),
    ],
)
def test_a_secret_that_cannot_be_used_changes_nothing(
    stack: Stack, stored: Table, name: str, environment: dict[str, str], code: int, said: str
) -> None:
    stored.put(stored.user(), [1])
    before = stored.rows()
    done = stack.project.run("keys", "rotate", "--new-secret-env", name, code=code, **environment)
    assert said in done.stderr
    assert name in {"NEW_SECRET", "ENCRYPTION_SECRET", "what is this"} or name not in done.stderr
    assert SECRET not in done.stderr and stored.rows() == before


def test_a_short_secret_is_warned_of(stack: Stack, stored: Table) -> None:
    environment = {"ENCRYPTION_SECRET": SECRET, "NEW_SECRET": "short-one"}
    done = stack.project.run("keys", "rotate", "--new-secret-env", "NEW_SECRET", **environment)
    assert "NEW_SECRET is weak: 9 characters count" in done.stderr
    assert "short-one" not in done.stderr + done.stdout


def test_the_new_secret_may_stand_in_env_file(stack: Stack, stored: Table) -> None:
    stored.put(stored.user(), [1])
    file = stack.project_dir / ".env"
    file.write_text(f"NEW_SECRET={NEW_SECRET}\n")
    file.chmod(0o600)
    try:
        stack.project.run("keys", "rotate", "--new-secret-env", "NEW_SECRET", ENCRYPTION_SECRET=SECRET)
    finally:
        file.unlink()
    assert under(stored, NEW_SECRET) == 1


def test_the_command_killed_at_its_work_is_finished_by_the_next(stack: Stack, stored: Table) -> None:
    stored.put(stored.user(), range(40))
    project = dataclasses.replace(stack.project, extra=ENVIRONMENT)
    words = ("keys", "rotate", "--new-secret-env", "NEW_SECRET")
    running = project.start(*words, at="promthctl.keys.api_keys_table:ApiKeysTable._change:return:")
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGKILL
    rows = stored.rows().values()
    rotated = sum(opened_by(row, NEW_SECRET) for row in rows)
    assert 0 < rotated < 40 and sum(opened_by(row, SECRET) for row in rows) == 40 - rotated
    result = project.json(*words)
    assert result["already"] >= rotated  # what was on its way when it was killed has arrived since
    assert (result["already"] + result["rotated"], result["old_is_free"]) == (40, True)
    assert under(stored, NEW_SECRET) == 40


def in_child(work: Callable[[], object], seconds: float = 60.0) -> bool:
    """Run in a forked process, without the start-up of a command, and kill it after that time; False if it was."""
    pid = os.fork()
    if pid == 0:  # nothing of pytest may run in the child
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    deadline = time.monotonic() + seconds
    while not (ended := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < deadline:
        time.sleep(0.001)
    if not ended[0]:
        os.kill(pid, signal.SIGKILL)
        ended = os.waitpid(pid, 0)
    status = os.waitstatus_to_exitcode(ended[1])
    assert status in (0, -signal.SIGKILL)
    return status == 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kills_wanted", "number"), [(10, 200), pytest.param(50, 400, marks=pytest.mark.full)])
def test_killed_at_random_moments_every_row_stays_readable_with_one_secret(
    stored: Table, target: ApiTarget, kills_wanted: int, number: int
) -> None:
    """The run after a kill finishes what is left, unless it is killed at that in its turn."""
    stored.put(stored.user(), range(number * 2 // 5))
    stored.put(stored.user(), range(number * 2 // 5, number))
    constant = without(stored.rows(), "encrypted_key", "updated_at")
    both, chance = BOTH, random.Random(20261123)
    for _ in range(2):  # the second shows how long it takes where everything is loaded
        start = time.monotonic()
        rotate(target, both)
        whole = time.monotonic() - start
        both = RotationSecrets("NEXT", both.new, both.old)
    kills = halfway = finished = 0
    while kills < kills_wanted:
        left = number
        while not in_child(functools.partial(rotate, target, both), chance.uniform(0, whole)):
            kills += 1
            rows = stored.rows().values()
            states = {(opened_by(row, both.old), opened_by(row, both.new)) for row in rows}
            assert states <= {(True, False), (False, True)}  # exactly one of the two
            halfway += len(states) == 2
            with open_table(target) as table:
                planned = plan_rotation(table, both, None, Silent())
            assert planned.rows == number and planned.pending <= left  # the next run is not refused, and has less to do
            left = planned.pending
        finished += 1
        assert under(stored, both.new) == number
        assert without(stored.rows(), "encrypted_key", "updated_at") == constant
        both = RotationSecrets("NEXT", both.new, both.old)  # back and forth between the two secrets
    assert halfway > kills_wanted // 4 and finished > kills_wanted // 10
