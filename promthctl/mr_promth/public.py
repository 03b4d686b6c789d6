"""What Mr.Promth shows to everybody on purpose: prompts whose authors have shared them."""

from collections.abc import Mapping

# Table → the boolean column that marks its public rows; see isolation.prove_isolation.
PUBLIC_FLAGS: Mapping[str, str] = {"prompts": "is_public"}
