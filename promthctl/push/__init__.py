"""Bringing a target to the state of the migrations, or dropping everything there and replaying them.

planning.py       what a push would do to a target, as a plan that is shown before anything is changed
applying.py       a plan → the Supabase CLI's push
reset.py          everything dropped and replayed
batch.py          a push to many targets
disagreements.py  where a target's history and the files differ
risks/            what each statement of a plan does to the target's data, locks and protections
"""

from promthctl.push.applying import PushResult, apply_plan, apply_to_local_stack
from promthctl.push.planning import PushPlan, PushPreview, check_destructive, plan_push, preview_push
from promthctl.push.reset import ResetResult, check_reset, check_typed_name, reset_target

__all__ = [
    "PushPlan",
    "PushPreview",
    "PushResult",
    "ResetResult",
    "apply_plan",
    "apply_to_local_stack",
    "check_destructive",
    "check_reset",
    "check_typed_name",
    "plan_push",
    "preview_push",
    "reset_target",
]
