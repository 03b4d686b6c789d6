"""The database that a command works on, found and ready to connect to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from promthctl import engines, trust
from promthctl.database.connection_errors import CredentialsError
from promthctl.engines.access import local_target, running_access
from promthctl.errors import PrerequisiteError, TargetError
from promthctl.hosted.management import RefusedRequest
from promthctl.hosted.project import find_project
from promthctl.hosted.temporary_role import TemporaryRole
from promthctl.redact import remember
from promthctl.resolve.choice import TargetChoice, named_target
from promthctl.resolve.production import announcement, is_production
from promthctl.settings import NamedTarget, Settings
from promthctl.targets import Target, from_url

Announce = Callable[[str], None]  # shows one line
AskPassword = Callable[[str], str | None]  # the answer to a question, None where nobody can be asked


def resolve_database(choice: TargetChoice, settings: Settings, announce: Announce, ask_password: AskPassword) -> Target:
    """The target that was chosen; it is announced before anything happens to it.

    Raises as resolve_remote does, and TargetError when the local stack was chosen and does not run.
    """
    remote = resolve_remote(choice, settings, announce, ask_password)
    if remote is not None:
        return remote
    local = local_target(running_access(engines.current(settings)))
    announce(announcement(local.label))
    return local


def resolve_remote(
    choice: TargetChoice, settings: Settings, announce: Announce, ask_password: AskPassword
) -> Target | None:
    """The target that was chosen, announced; None for the local stack, which is not looked at.

    Raises as named_target, find_target and resolve_named do.
    """
    named = named_target(choice, settings)
    if named is None:
        return None
    found = find_target(named, settings)
    announce(announcement(found.label, found.production))
    if found.remark:
        announce(found.remark)
    return _with_password(found, settings, ask_password)


def resolve_named(named: NamedTarget, settings: Settings, ask_password: AskPassword) -> Target:
    """The database of a target, not announced.

    Raises as find_target does, PrerequisiteError when there is no password for it, and TargetError when the API does
    not answer.
    """
    return _with_password(find_target(named, settings), settings, ask_password)


def find_target(named: NamedTarget, settings: Settings) -> Target:
    """The target that a reference or a URL names; a hosted project's has no password yet. Nothing is changed.

    Raises as find_project and from_url do, PrerequisiteError where the variable of password_env is not set.
    """
    if named.db_url is not None:
        for name in (name for name, known in settings.targets.items() if known == named):
            trust.check_setting(settings, f"targets.{name}.db_url")
        found = from_url(named.db_url, settings.password_of(named), variable=named.password_env)
        if named.password_env and not found.password:
            why = f"password_env of it in pyproject.toml names {named.password_env}, which is not set"
            hint = f"export {named.password_env}=…, or remove password_env, for PGPASSWORD or ~/.pgpass to count"
            raise PrerequisiteError(f"There is no password for {found.label}", why, hint)
        found = replace(found, key_password=found.key_password or settings.database_key_password)
    else:
        project = find_project(named.project_ref or "", settings)
        trust.check_variable(settings, "PGSSLMODE")
        sslmode = settings.get("PGSSLMODE") or "require"  # libpq's own default would go on without encryption
        found = Target(project.label, project.url, None, project=project.name, ref=project.ref, sslmode=sslmode)
        found = replace(found, password_variable=named.password_env)
    return replace(found, production=is_production(named, settings))


def _with_password(target: Target, settings: Settings, ask_password: AskPassword) -> Target:
    """A hosted project's target with SUPABASE_DB_PASSWORD, otherwise as a temporary role, otherwise with what is typed.

    Other targets are returned as they are.
    """
    if target.ref is None:
        return target
    variable = target.password_variable or "SUPABASE_DB_PASSWORD"
    password = settings.get(variable)
    if not password:
        try:
            return TemporaryRole(target, target.ref, settings).target
        except TargetError as error:
            password = ask_password(f"Database password of {target.label}: ")
            if not password and not isinstance(error, (RefusedRequest, CredentialsError)):
                raise
            refused = error.why
    if not password:
        raise PrerequisiteError(
            f"There is no database password for {target.label}",
            f"{variable} is not set, there is no temporary role ({refused}), and no password was typed",
            f"export {variable}=…, or reset it in the dashboard: Project Settings, Database",
        )
    remember(password)
    return replace(target, password=password)
