"""The loop of `local up --watch`: what a saved file asks for, done on the local stack.

situation  what the history and the files ask for: nothing, to apply what is new, or a replay
rows       what a replay would take away that no migration and no seed makes, kept under a name
rounds     one round: apply or replay, read what changed in the catalog, write the types
"""

from promthctl.developing.rounds import Change, Developing, Round

__all__ = ["Change", "Developing", "Round"]
