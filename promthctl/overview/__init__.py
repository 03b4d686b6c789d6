"""Where a project stands: what `promthctl` alone shows. Nothing is changed, and nothing is waited for for long.

standing   the project, its stack, migrations, seeds and targets, and the next sensible command
secrets    which secrets the project has a use for and does not have, by their names
"""

from promthctl.overview.standing import Overview, overview

__all__ = ["Overview", "overview"]
