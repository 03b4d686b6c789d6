"""`promthctl init` without a choice: what a folder needs to be a project, and nothing that it has.

beginning   the files of a new project; of one that is there, what was found
"""

from promthctl.setting_up.beginning import Begun, begin

__all__ = ["Begun", "begin"]
