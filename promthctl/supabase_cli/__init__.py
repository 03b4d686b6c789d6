"""The Supabase CLI: applies migrations and owns the history. This room is the only one that runs it.

choosing           which one: the pinned one, the one on PATH, or one at a path
dialects           what differs between v2 and v3, and how what they print is read
runner             one run: its options, its environment, its answer
database_commands  db push, db reset, migration repair, db advisors
patience           whom a push waits for, and further tries when a lock is not to be had
temporary_roles    those it signs in with, left out of schemas
work_folder        the private folder that each of those runs in
local_stack        services, start, stop
api_keys           projects api-keys
failures           what a failed run means, whatever the command
migration_errors   a failed migration: file, line, statement, what stays applied
missing_extension  how the local stack gets an extension
"""

from __future__ import annotations

from promthctl.supabase_cli.choosing import check_consent
from promthctl.supabase_cli.database_commands import DatabaseCli, find_database_cli
from promthctl.supabase_cli.runner import Runner, find_runner

__all__ = ["DatabaseCli", "Runner", "check_consent", "find_database_cli", "find_runner"]
