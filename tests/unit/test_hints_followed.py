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
cli/files.py · writable
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
local_stack/clone.py · _check_engine
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
engines/docker/stopping.py · check_gone
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
    "setting_up/beginning.py · begin": "a folder that root cannot write",
    "cli/__init__.py · _usage_or_bug": "a mistake of promthctl's own",
    "backups/restoring.py · _load": "a backup that was changed together with its checksums",
    "backups/writing.py · new_backup": "a full disk",
    "diagram/graphviz.py · _failed": "a graph of ours that Graphviz does not take",
    "doctor/updates.py · _default": "a Python without pip",
    "drafting/engine.py · run": "a mistake of the Supabase CLI's diff engine",
    "engines/embedded/cluster.py · _not_copied": "a full disk",
    "engines/embedded/removal.py · check_ended": "a process that SIGKILL does not end",
    "engines/embedded/system_user.py · postgres_user": "root on a machine without useradd",
    "engines/embedded/templates.py · template": "a full disk",
    "engines/embedded/templates.py · _initdb": "a user without a name",
    "keys/key_batch.py · checked_batch": "a full disk",
    "keys/key_batch.py · owner": "a file that changes between two readings of one run",
    "platforms.py · check_platform": "Windows, or a C library that is not glibc",
    "migration_files/pulling.py · _downs": "a mistake of the Supabase CLI's diff engine",
    "migration_files/pulling.py · _expect_equal": "a mistake of the Supabase CLI's diff engine",
    "migration_set/creating.py · create_migration": "a folder that root cannot write",
    "migration_set/folder.py · present_migrations": "a file that root cannot read",
    "supabase_cli/work_folder.py · work_folder": "a full disk",
    "toolchain/intact.py · _write": "a damaged disk",
    "toolchain/pg0.py · _unpack": "a damaged package",
    "toolchain/tools.py · npm_platform": "another processor",
    "trust.py · check_data": "a user who is not root",
    "verify/accepted.py · write_accepted": "a folder that root cannot write",
    "engines/embedded/snapshots.py · _copy_data": "a cp that ends well and copied something else",
    "engines/embedded/snapshots.py · _copy": "a full disk on a file system without links",
    "shadow/kept.py · _copy": "a full disk",
    "engines/embedded/running_copy.py · _copy_files": "a full disk",
    "supabase_cli/database_commands.py · types": "the Dart SDK, or Swift's generator, in place of its absence",
    "rehearsal/with_data.py · _check_room": "a full disk",
    "copies/dumping.py · _failed": "a full disk",
    "copies/dumping.py · _incomplete": "a damaged disk",
    "local_stack/clone.py · _check_counts": "a server that loses rows",
    "local_stack/clone.py · _check_room": "a full disk",
    "local_stack/copying.py · _differs": "a copy that comes out otherwise than its source",
}


def test_every_hint_is_followed_by_a_test_or_cannot_be() -> None:
    lists = (FOLLOWED, NEEDS_DOCKER, NEEDS_THE_CLOUD)
    known = [*CANNOT_BE_MADE, *(line for each in lists for line in each.strip().splitlines())]
    blocks = SNAPSHOT.read_text(encoding="utf-8").strip().split("\n\n")
    made = {block.partition("\n")[0].rpartition(" · ")[0].removeprefix("promthctl/") for block in blocks}
    followed = keys_of_rows()
    assert len(known) == len(set(known))
    assert made - set(known) - followed == set(), "follow its `next:` in a test, by a row with this key"
    assert (set(known) | followed) - made == set(), "these make no error any more"
    assert CANNOT_BE_MADE.keys() & followed == set(), "a test follows these: take them out"


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
