"""`promthctl doctor`: what is in order on this machine and in this project, what is not, and what puts it right.

finding     one line of the result
machine     Python, Node.js, the tools, Docker, disk, memory
project     .env, permissions, supabase/, config.toml, the login
ports       which ports the stack wants, and who has them
examining   all of it side by side, and what --fix does
bundle      the report that can be shown to others
"""

from promthctl.doctor.bundle import write_bundle
from promthctl.doctor.examining import Diagnosis, examine, put_right
from promthctl.doctor.finding import Finding

__all__ = ["Diagnosis", "Finding", "examine", "put_right", "write_bundle"]
