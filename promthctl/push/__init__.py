"""Bringing a target to the state of the migrations: the plan, its risks, the push itself, many targets at once."""

from promthctl.push.pushing import (
    Preview,
    PushPlan,
    PushResult,
    ResetResult,
    apply,
    carry_out,
    check_destructive,
    check_name,
    check_reset,
    plan,
    preview,
    push,
    reset,
    sync_for,
)

__all__ = [
    "Preview",
    "PushPlan",
    "PushResult",
    "ResetResult",
    "apply",
    "carry_out",
    "check_destructive",
    "check_name",
    "check_reset",
    "plan",
    "preview",
    "push",
    "reset",
    "sync_for",
]
