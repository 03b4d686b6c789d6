"""Rolling a target back to an older version, and what is lost by that.

Everything happens in one transaction; the backup (see promthctl.backups) is complete on disk before the commit.

    scripts.py   the down scripts: read, checked, run
    losses.py    what they take away: the tables before and after, compared
    undoing.py   the plan; then export, run the scripts, shorten the history
"""

from promthctl.rollback.undoing import (
    LostTable,
    RollbackPlan,
    RollbackResult,
    plan_rollback,
    preview_rollback,
    roll_back,
)

__all__ = ["LostTable", "RollbackPlan", "RollbackResult", "plan_rollback", "preview_rollback", "roll_back"]
