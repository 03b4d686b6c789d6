"""Each place that makes an error is known here: does a test follow its `next:`, and if not, why.

A new one fails until a test follows it: the key of a `Row`, or of a call of `told` (tests/hints.py), counts by itself.
"""

from __future__ import annotations

import ast
from pathlib import Path

from tests.error_messages import SNAPSHOT

# By tests without a key: tests/embedded/test_hints.py and test_hints_files.py; of locks and poolers
# tests/hosted/test_lock_waits.py and test_poolers.py.
FOLLOWED = """
push/trying.py · check_tried
api/client.py · _code_error
cli/local.py · mails
cli/options.py · lock_seconds
cli/options.py · unix_time
cli/push.py · command
cli/rollback.py · command
cli/verify.py · _writable
database/connection_errors.py · unreachable
database/pooling.py · _no_session
database/transactions.py · changing
engines/access.py · stack_access
engines/access.py · running_access
engines/embedded/logs.py · read_logs
engines/embedded/auth_settings.py · signing_keys
engines/embedded/storage_settings.py · _wrong
local_stack/opened.py · link
hosted/management.py · access_token
hosted/project.py · find_project
migration_files/bundling.py · _check_destination
migration_set/folder.py · discover
migration_set/supabase_folder.py · check_enabled
migration_set/supabase_folder.py · new_migration
seeds/applying.py · _no_seeds
seeds/failing.py · of
seeds/files.py · find_seeds
settings.py · target
settings.py · load
settings.py · _folder
settings.py · _example
settings.py · _cli
settings.py · _named_target
settings.py · _engine
settings.py · _port
supabase_cli/choosing.py · choose
supabase_cli/database_commands.py · _push_blocked
supabase_cli/database_commands.py · _reset_blocked
supabase_cli/database_commands.py · _repair_blocked
toolchain/node.py · find_node
"""

NEEDS_DOCKER = """
engines/docker/engine.py · _no_snapshots
engines/docker/engine.py · studio
engines/docker/daemon.py · find_daemon
engines/docker/daemon.py · answering
engines/docker/daemon.py · gone
engines/docker/daemon.py · _unknown_context
engines/docker/daemon.py · _absent
engines/docker/daemon.py · _not_allowed
engines/docker/diagnosis.py · error
engines/docker/engine.py · mail
engines/docker/engine.py · undo_renewal
engines/docker/images.py · offline
engines/docker/images.py · check_pullable
engines/docker/images.py · _pull
engines/docker/logs.py · read_logs
engines/docker/logs.py · _kept
engines/docker/network.py · address
engines/docker/network.py · ensure
engines/docker/ownership.py · check_purge
engines/docker/preflight.py · same_name
engines/docker/preflight.py · check_space
engines/docker/preflight.py · check_memory
engines/docker/preflight.py · check_ports
engines/docker/preflight.py · check_volume
engines/docker/project.py · _project_id
engines/docker/services.py · chosen
supabase_cli/local_stack.py · _unlike_known
supabase_cli/local_stack.py · _check_config
supabase_cli/local_stack.py · _failure
"""

NEEDS_THE_CLOUD = """
hosted/management.py · _send
hosted/management.py · _refused
hosted/management.py · unexpected_answer
hosted/profile.py · _unusable
hosted/project.py · _check_status
supabase_cli/api_keys.py · find_service_key
supabase_cli/api_keys.py · _service_keys
"""

# What no test can make on every machine, and why.
CANNOT_BE_MADE = {
    "backups/restoring.py · _load": "a backup that was changed together with its checksums",
    "backups/writing.py · new_backup": "a full disk",
    "drafting/engine.py · run": "a mistake of the Supabase CLI's diff engine",
    "engines/embedded/cluster.py · copy_data": "a full disk",
    "engines/embedded/system_user.py · postgres_user": "root on a machine without useradd",
    "engines/embedded/templates.py · template": "a full disk",
    "keys/key_batch.py · checked_batch": "a full disk",
    "keys/key_batch.py · owner": "a file that changes between two readings of one run",
    "platforms.py · check_platform": "Windows, or a C library that is not glibc",
    "migration_set/folder.py · present_migrations": "a file that root cannot read",
    "supabase_cli/work_folder.py · work_folder": "a full disk",
    "toolchain/intact.py · _write": "a damaged disk",
    "toolchain/pg0.py · _unpack": "a damaged package",
    "toolchain/tools.py · npm_platform": "another processor",
    "trust.py · check_data": "a user who is not root",
    "verify/accepted.py · write_accepted": "a folder that root cannot write",
    "engines/embedded/snapshots.py · _copy": "a full disk on a file system without links",
    "shadow/kept.py · _copy": "a full disk",
    "rehearsal/with_data.py · _check_room": "a full disk",
    "migration_files/squashing.py · squash": "a folder that changes between writing and reading it",
    "push/squashes.py · record_squashes": "a history that changes between writing and reading it",
}

# Their errors are tested; that what they advise helps was not tried by a test yet.
NOT_FOLLOWED_YET = """
adoption/adopting.py · _find_on_target
engines/embedded/api.py · studio_link
engines/embedded/api.py · wait
engines/embedded/cluster.py · failed
engines/embedded/engine.py · renew
engines/embedded/engine.py · restore_snapshot
engines/embedded/which_postgres.py · postgres_of
keys/seed_rows.py · store_batch
migration_files/bundling.py · _proven
migration_files/changes.py · check_not_overwritten
migration_files/down_scripts.py · _chosen
migration_files/fetching.py · fetch
migration_files/pulling.py · _confirm
migration_files/pulling.py · _downs
migration_files/pulling.py · _expect_equal
migration_files/pulling.py · _expect_unchanged
migration_files/pulling.py · _pending
migration_files/pulling.py · own_settings
migration_files/renumbering.py · _applied
migration_files/renumbering.py · _padded
migration_files/renumbering.py · _with_own_versions
migration_set/creating.py · create_migration
push/applying.py · _outdated
push/planning.py · _no_plan
push/trying.py · try_with_data
resetting/contents.py · reading
resetting/replay.py · for_the_person
resetting/replay.py · try_reset
resetting/target.py · reset_target
resolve/database.py · _with_password
rollback/undoing.py · _changed
seeds/failing.py · _lost
state.py · make
supabase_cli/failures.py · cli_error
supabase_cli/migration_errors.py · _broken_off
toolchain/installed.py · _folder
toolchain/installed.py · installed_postgres
toolchain/installed.py · postgres_in
toolchain/intact.py · _not_used
toolchain/intact.py · check_way
toolchain/npm.py · _failure
toolchain/npm.py · look
toolchain/pg0.py · _package
toolchain/tools.py · check_tools
"""


def test_every_hint_is_followed_by_a_test_or_listed_as_not() -> None:
    lists = (FOLLOWED, NEEDS_DOCKER, NEEDS_THE_CLOUD, NOT_FOLLOWED_YET)
    known = [*CANNOT_BE_MADE, *(line for each in lists for line in each.strip().splitlines())]
    blocks = SNAPSHOT.read_text(encoding="utf-8").strip().split("\n\n")
    made = {block.partition("\n")[0].rpartition(" · ")[0].removeprefix("promthctl/") for block in blocks}
    followed = keys_of_rows()
    assert len(known) == len(set(known))
    assert made - set(known) - followed == set(), "follow its `next:` in a test, by a row with this key"
    assert (set(known) | followed) - made == set(), "these make no error any more"
    assert set(NOT_FOLLOWED_YET.strip().splitlines()) & followed == set(), "a test follows these: take them out"


def keys_of_rows() -> set[str]:
    """The keys that tests hand to `Row` and `told`, also through a function of theirs; these compare them with what is
    printed.
    """
    keys: set[str] = set()
    for file in Path(__file__).parents[1].rglob("test_*.py"):
        if "from tests.hints import" not in (text := file.read_text(encoding="utf-8")):
            continue
        module = ast.parse(text)
        named = {
            node.targets[0].id: node.value
            for node in module.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and node.args:
                key = named.get(node.args[0].id) if isinstance(node.args[0], ast.Name) else node.args[0]
                value = key.value if isinstance(key, ast.Constant) else None
                keys |= {value} if isinstance(value, str) and ".py · " in value else set()
    return keys
