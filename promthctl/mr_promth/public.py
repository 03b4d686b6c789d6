"""What Mr.Promth shows to everybody on purpose: prompts whose authors have shared them."""

from collections.abc import Collection, Mapping

# Table → the boolean column that marks its public rows; see isolation.prove_isolation.
PUBLIC_FLAGS: Mapping[str, str] = {"prompts": "is_public"}

# What makes a database the app's: others have `prompts` or `projects` as well, and promise other things of them.
FIRST_TABLES = frozenset(("user_profiles", "api_keys", "chat_sessions", "messages", "prompts"))


def is_the_app(tables: Collection[str]) -> bool:
    """Whether these are the app's tables. tables: as a Catalog names them."""
    return all(f"public.{name}" in tables for name in FIRST_TABLES)
