"""Rolling a target back to an older version, and what that takes away.

Everything happens in one transaction, the backup (see promthctl.backups) complete on disk before its commit.

    scripts.py   the down scripts: read, checked, run
    losses.py    what they take: the tables before and after, compared
    undoing.py   plan, export, run and forget
"""

from promthctl.rollback.undoing import LostTable, RollbackPlan, RollbackResult, plan, preview, roll_back

__all__ = ["LostTable", "RollbackPlan", "RollbackResult", "plan", "preview", "roll_back"]
