"""Engines: what runs a local Supabase.

engine     what every engine offers, as a Protocol
choosing   which engine a command is for
access     how the rest of promthctl reaches the stack
ports      which ports a stack takes, and who is in the way
embedded/  PostgreSQL and our API server as two processes of this machine
docker/    the official stack, by `supabase start`
"""

from __future__ import annotations

from promthctl.engines.choosing import current, forget_engine, pick, record_engine, recorded_engine
from promthctl.engines.engine import (
    Access,
    Content,
    Engine,
    Filling,
    KeptCopy,
    LogPart,
    Service,
    Snapshot,
    StartOptions,
    Status,
)

__all__ = [
    "Access",
    "Content",
    "Engine",
    "Filling",
    "KeptCopy",
    "LogPart",
    "Service",
    "Snapshot",
    "StartOptions",
    "Status",
    "current",
    "forget_engine",
    "pick",
    "record_engine",
    "recorded_engine",
]
