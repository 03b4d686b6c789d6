"""storage-js's and storage-py's own suites against the embedded engine's Storage: two of tests/peers.py.

They have keys of the Supabase CLI's demo project in them, which are replaced by the stack's. Tests that ask the image
service for a transformed picture are left out: there is none.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests import peers

KEY = r"eyJhbGciOiJIUzI1NiIs[\w-]*\.[\w-]+\.[\w-]+"
IMAGES = re.compile(r"transform|webp|image format", re.IGNORECASE)
PIP = (
    "httpx[http2]>=0.26,<0.29",
    "deprecation>=2.1",
    "pydantic>=2.11.7",
    "yarl>=1.20.1",
    "pyiceberg>=0.10",
    "pytest>=8.3.5",
    "pytest-asyncio",
    "python-dotenv",
)


def run_js(package: Path, work: Path) -> list[peers.Outcome]:
    seed = (package / "test" / "supabase" / "seed.sql").read_text(encoding="utf-8")
    config = (package / "test" / "supabase" / "config.toml").read_text(encoding="utf-8")
    home = peers.js_home("storage-js", package, {"iceberg-js": "0.8.1"})
    with peers.stack(work, {}, config, seed) as (_, env):
        peers.replace(home / "test", "*.ts", r"http://127\.0\.0\.1:54321", env["SUPABASE_URL"])
        peers.replace(home / "test", "*.ts", KEY, env["SUPABASE_SERVICE_ROLE_KEY"])
        return without_images(peers.run_jest(home, work))


def run_py(package: Path, work: Path) -> list[peers.Outcome]:
    infra = package / "infra" / "supabase"
    [policies] = (infra / "migrations").glob("*.sql")
    python, copy = peers.py_home("storage-py", package, PIP)
    config = (infra / "config.toml").read_text(encoding="utf-8")
    with peers.stack(work, {policies.name: policies.read_text(encoding="utf-8")}, config, None) as (_, env):
        peers.replace(copy / "tests", "tests.env", r"http://localhost:55321", env["SUPABASE_URL"])
        peers.replace(copy / "tests", "tests.env", KEY, env["SUPABASE_ANON_KEY"])
        return without_images(peers.run_pytest(python, copy, work))


def without_images(outcomes: list[peers.Outcome]) -> list[peers.Outcome]:
    """A test that failed and is named after pictures that are transformed counts as left out."""
    return [
        peers.Outcome(one.name, None, skipped=True) if one.reason is not None and IMAGES.search(one.name) else one
        for one in outcomes
    ]
