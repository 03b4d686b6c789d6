"""Bringing a target to the state of the migrations.

planning.py       what a push would do to a target, as a plan that is shown before anything is changed
lock_checks.py    the locks that a plan predicts, beside those that the rehearsal has seen
waits.py          how long a plan's locks may hold up the target, estimated
trying.py         a plan carried out on a copy of the target's rows
applying.py       a plan → the Supabase CLI's push
batch.py          a push to many targets
squashes.py       a history that has files which were squashed since
disagreements.py  where a target's history and the files differ
risks/            what each statement of a plan does to the target's data, locks and protections
"""

from promthctl.push.applying import PushResult, apply_plan, apply_to_local_stack
from promthctl.push.planning import (
    PushPlan,
    PushPreview,
    check_accepted,
    check_destructive,
    plan_push,
    preview_push,
)
from promthctl.push.trying import check_tried, try_with_data

__all__ = [
    "PushPlan",
    "PushPreview",
    "PushResult",
    "apply_plan",
    "apply_to_local_stack",
    "check_accepted",
    "check_destructive",
    "check_tried",
    "plan_push",
    "preview_push",
    "try_with_data",
]
