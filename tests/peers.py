"""The test suites of Supabase's clients against the embedded engine: ./scripts/peers [NAME]...

Each suite is fetched at a pinned commit (its package has no tests in it), gets its own schema on a stack of its own,
and is told where that is. Printed are the passed and failed tests, and why each failed. Nothing of them is kept here.

--sources NAME=FOLDER takes a checkout that is there already, as --sources postgrest-js=../supabase-js.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import venv
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from promthctl import settings
from promthctl.toolchain import node as nodejs
from tests.promthctl_runner import Project

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "promthctl-peers"
NPM = {
    "jest": "30.4.2",
    "ts-jest": "29.4.9",
    "@types/jest": "30.0.0",
    "@types/node": "20.19.9",
    "prettier": "3.6.2",
    "typescript": "5.8.3",
    "type-fest": "4.41.0",
    "zod": "3.25.76",
    "tslib": "2.8.1",
}
TSCONFIG = {
    "include": ["src", "test"],
    "compilerOptions": {
        "module": "CommonJS",
        "target": "ES2020",
        "lib": ["ES2022", "dom"],
        "strict": True,
        "esModuleInterop": True,
        "moduleResolution": "Node",
        "isolatedModules": True,  # what the tests do, not what their types say
        "skipLibCheck": True,
        "types": ["jest", "node"],
    },
}
PIP = (
    "httpx[http2]>=0.26,<0.29",
    "deprecation",
    "pydantic<3",
    "yarl>=1.20",
    "pytest",
    "pytest-asyncio",
    "pytest-depends",
)


@dataclass(frozen=True)
class Peer:
    """A suite. folder: in the repository. goal: how many must pass, of how many."""

    repository: str
    commit: str
    folder: str
    goal: str
    run: Callable[[Path, Path], list[Outcome]]


@dataclass(frozen=True)
class Outcome:
    """A test. reason: why it failed, None if it passed. skipped: the suite itself leaves it out."""

    name: str
    reason: str | None
    skipped: bool = False


def run_js(package: Path, work: Path) -> list[Outcome]:
    test = package / "test"
    config = (test / "supabase" / "config.toml").read_text(encoding="utf-8")
    schema = (test / "supabase" / "migrations" / "00000000000000_schema.sql").read_text(encoding="utf-8")
    seed = (test / "supabase" / "seed.sql").read_text(encoding="utf-8")
    home = js_home("postgrest-js", package, {"@jest/types": "30.0.0", "ts-node": "10.9.2"})
    shutil.rmtree(home / "test" / "v12")  # it asks a PostgREST 12, beside the other
    with stack(work, {"001_schema.sql": _without_postgis(schema)}, config, seed) as (address, _):
        replace(home / "test", "*.ts", r"http://localhost:54321", address)
        return run_jest(home, work)


def js_home(name: str, package: Path, more: dict[str, str]) -> Path:
    """A folder with a package's sources and tests, and what they need installed. more: npm packages of its own."""
    home = CACHE / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "package.json").write_text(json.dumps({"private": True, "devDependencies": NPM | more}))
    npm = nodejs.find_node(settings.load(Path())).npm
    _call([*map(str, npm), "install", "--ignore-scripts", "--no-audit", "--no-fund"], home)
    for folder in ("src", "test"):
        shutil.rmtree(home / folder, ignore_errors=True)
        shutil.copytree(package / folder, home / folder)
    for config in package.glob("jest.config.*"):
        shutil.copy(config, home)
    (home / "tsconfig.test.json").write_text(json.dumps(TSCONFIG))
    return home


def run_jest(home: Path, work: Path) -> list[Outcome]:
    report = work / "report.json"
    jest = home / "node_modules" / ".bin" / "jest"
    options = ["--ci", "--runInBand", "--forceExit", "--coverage=false", "--json", f"--outputFile={report}"]
    subprocess.run([jest, *options], cwd=home, env=_environment(), capture_output=True, check=False, timeout=1800)
    outcomes = []
    for suite in json.loads(report.read_text())["testResults"]:
        if not suite["assertionResults"]:
            outcomes.append(Outcome(Path(suite["name"]).name, suite["message"]))
        for test in suite["assertionResults"]:
            failed = "\n".join(test["failureMessages"]) if test["status"] == "failed" else None
            outcomes.append(Outcome(test["fullName"], failed, test["status"] in ("pending", "todo")))
    return outcomes


def run_py(package: Path, work: Path) -> list[Outcome]:
    schema = (package / "infra" / "init.sql").read_text(encoding="utf-8")
    schema += "\ncreate schema personal; alter role authenticator set pgrst.db_plan_enabled to 'true';\n"
    config = '[api]\nschemas = ["public", "personal"]\nextra_search_path = ["extensions"]\n'
    python, copy = py_home("postgrest-py", package, PIP)
    with stack(work, {"001_init.sql": schema}, config, None) as (address, _):
        replace(copy / "tests", "*.py", r"http://(127\.0\.0\.1|localhost):3000", f"{address}/rest/v1")
        return run_pytest(python, copy, work)


def py_home(name: str, package: Path, requirements: tuple[str, ...]) -> tuple[Path, Path]:
    """The Python with a suite's requirements, and a copy of its package."""
    home = CACHE / name
    python = home / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(home / "venv", with_pip=True)
    _call([str(python), "-m", "pip", "install", "--quiet", *requirements], home)
    copy = home / "package"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(package, copy)
    return python, copy


def run_pytest(python: Path, copy: Path, work: Path, *tests: str) -> list[Outcome]:
    report = work / "report.xml"
    command: list[Path | str] = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, f"--junitxml={report}"]
    environment = _environment(PYTHONPATH=str(copy / "src"))
    subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False, timeout=1800)
    return junit_outcomes(report)


def junit_outcomes(report: Path) -> list[Outcome]:
    """The tests of pytest's report in JUnit's XML."""
    outcomes = []
    for case in ElementTree.parse(report).iter("testcase"):
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        reason = None if failure is None else failure.get("message") or failure.text or "failed"
        outcomes.append(
            Outcome(f"{case.get('classname')}.{case.get('name')}", reason, case.find("skipped") is not None)
        )
    return outcomes


def run_auth_py(package: Path, work: Path) -> list[Outcome]:
    from tests import peers_auth  # it imports this module

    return peers_auth.run(package, work)


def run_storage_js(package: Path, work: Path) -> list[Outcome]:
    from tests import peers_storage

    return peers_storage.run_js(package, work)


def run_storage_py(package: Path, work: Path) -> list[Outcome]:
    from tests import peers_storage

    return peers_storage.run_py(package, work)


PEERS = {
    "postgrest-js": Peer(
        "https://github.com/supabase/supabase-js",
        "381bded5ced48c4621830576bf8cbecc34edc85c",
        "packages/core/postgrest-js",
        "330 of 354",
        run_js,
    ),
    "postgrest-py": Peer(
        "https://github.com/supabase/supabase-py",
        "602765fbdf9e471a3241f44a479c1cfff1a8fe65",
        "src/postgrest",
        "282 of 282",
        run_py,
    ),
    "auth-py": Peer(
        "https://github.com/supabase/supabase-py",
        "602765fbdf9e471a3241f44a479c1cfff1a8fe65",
        "src/auth",
        "85 of 92",
        run_auth_py,
    ),
    "storage-js": Peer(
        "https://github.com/supabase/supabase-js",
        "381bded5ced48c4621830576bf8cbecc34edc85c",
        "packages/core/storage-js",
        "90 %",
        run_storage_js,
    ),
    "storage-py": Peer(
        "https://github.com/supabase/supabase-py",
        "602765fbdf9e471a3241f44a479c1cfff1a8fe65",
        "src/storage",
        "90 %",
        run_storage_py,
    ),
}


@contextmanager
def stack(
    work: Path, migrations: dict[str, str], config: str, seed: str | None
) -> Iterator[tuple[str, dict[str, str]]]:
    """An embedded stack with the migrations: the address of a door to it that needs no key, as `supabase start` has,
    and the stack's environment."""
    project = Project(work / "project")
    folder = project.path / "supabase"
    (folder / "migrations").mkdir(parents=True)
    for name, text in migrations.items():
        (folder / "migrations" / name).write_text(text)
    (folder / "config.toml").write_text(config.replace("[api]\n", "[api]\nauto_expose_new_tables = true\n", 1))
    if seed is not None:
        (folder / "seed.sql").write_text(seed)
    try:
        project.up()
        env = project.env()
        with door(env["SUPABASE_URL"], env["SUPABASE_ANON_KEY"]) as address:
            yield address, env
    finally:
        project.dispose()


@contextmanager
def door(url: str, key: str) -> Iterator[str]:
    """A server on loopback that hands every request on, with a key where there is none."""
    target = urlsplit(url)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            if self.headers.get("apikey") is None:
                headers["apikey"] = key
            connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "keep-alive", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = pass_on

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _without_postgis(schema: str) -> str:
    """The embedded PostgreSQL has no PostGIS: the one table with a point keeps it as text."""
    schema = re.sub(r"(?m)^create extension .*postgis.*;$", "", schema)
    return schema.replace("extensions.geometry(POINT, 4326)", "text")


def replace(folder: Path, names: str, pattern: str, text: str) -> None:
    for path in folder.rglob(names):
        before = path.read_text(encoding="utf-8")
        if (after := re.sub(pattern, text, before)) != before:
            path.write_text(after, encoding="utf-8")


def _environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SUPABASE_", "PG"))} | more


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def source(name: str, given: dict[str, str]) -> Path:
    """The folder of a suite: in the checkout that was named, or fetched into the cache."""
    peer = PEERS[name]
    if name in given:
        return Path(given[name]) / peer.folder
    checkout = CACHE / "sources" / name
    if not (checkout / peer.folder).is_dir():
        checkout.mkdir(parents=True, exist_ok=True)
        _call(["git", "init", "--quiet"], checkout)
        _call(["git", "fetch", "--quiet", "--depth", "1", peer.repository, peer.commit], checkout)
        _call(["git", "checkout", "--quiet", "FETCH_HEAD", "--", peer.folder], checkout)
    return checkout / peer.folder


def short(reason: str) -> str:
    """The lines of a failure that say what differed."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", reason)
    lines = [line for line in plain.splitlines() if line.strip()]
    changed = [line.strip() for line in lines if re.match(r"^[-+] ", line)]
    return "; ".join((changed or lines)[:6])[:300]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which suites: {', '.join(PEERS)}; all by default")
    parser.add_argument(
        "--sources", action="append", default=[], metavar="NAME=FOLDER", help="a checkout that is there"
    )
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in PEERS]:
        parser.error(f"no suite is called {', '.join(unknown)}")
    given = dict(pair.split("=", 1) for pair in asked.sources)
    for name in asked.names or PEERS:
        with tempfile.TemporaryDirectory(prefix="peers-") as work:
            outcomes = PEERS[name].run(source(name, given), Path(work))
        ran = [outcome for outcome in outcomes if not outcome.skipped]
        failed = [outcome for outcome in ran if outcome.reason is not None]
        skipped = len(outcomes) - len(ran)
        note = f", {skipped} left out by the suite itself" if skipped else ""
        print(f"{name}: {len(ran) - len(failed)} of {len(ran)} passed (goal {PEERS[name].goal}){note}", flush=True)
        for outcome in failed:
            print(f"  {outcome.name}: {short(outcome.reason or '')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
