"""A real browser without a window: Debian's chromium, driven over W3C WebDriver by its chromedriver."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

REQUIRED = "PROMTHCTL_REQUIRE_CHROMIUM"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # https://www.w3.org/TR/webdriver2/#elements
_WAIT = 20_000  # milliseconds that an element may take to appear


def chromedriver() -> str:
    """The program. Skips the test where it is not installed; fails it where it has to run, as in .ci/run."""
    found = shutil.which("chromedriver")
    if found is None or shutil.which("chromium") is None:
        why = "Chromium is not installed: apt-get install chromium chromium-driver"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{why} ({REQUIRED}=1)", pytrace=False)
        pytest.skip(why)
    return found


@dataclass(frozen=True)
class Browser:
    """One window. `path` is an XPath; the element is waited for."""

    session: httpx.Client

    def _send(self, path: str, **body: Any) -> Any:
        answer = self.session.post(path, json=body)
        assert answer.status_code == 200, (path, body, answer.json()["value"]["message"])
        return answer.json()["value"]

    def _find(self, path: str) -> str:
        return str(self._send("element", using="xpath", value=path)[_ELEMENT])

    def open(self, url: str) -> None:
        self._send("url", url=url)

    def click(self, path: str) -> None:
        self._send(f"element/{self._find(path)}/click")

    def type(self, path: str, text: str) -> None:
        self._send(f"element/{self._find(path)}/value", text=text)

    def text(self, path: str) -> str:
        return str(self.session.get(f"element/{self._find(path)}/text").json()["value"])

    def accept(self) -> str:
        """Say yes to the page's question, which is returned."""
        question = self.session.get("alert/text").json()["value"]
        self._send("alert/accept")
        return str(question)

    def run(self, script: str) -> Any:
        """What a script in the page returns, a promise's value among it."""
        return self._send("execute/sync", script=script, args=[])

    def errors(self) -> list[str]:
        """What the browser's console has of errors since it was last asked."""
        return [line["message"] for line in self._send("se/log", type="browser") if line["level"] == "SEVERE"]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with its profile in the folder; ended in the end."""
    arguments = ["--headless=new", f"--user-data-dir={folder / 'profile'}", "--disable-dev-shm-usage", "--disable-gpu"]
    if os.geteuid() == 0:  # Chromium's sandbox cannot be had as root
        arguments.append("--no-sandbox")
    wanted = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "TZ": "UTC"}
    driver = subprocess.Popen(
        [chromedriver(), "--port=0"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # it and its Chromium end as one group
    )
    try:
        assert driver.stdout is not None
        port = next(found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        asked = {"capabilities": {"alwaysMatch": wanted | {"timeouts": {"implicit": _WAIT}}}}
        made = httpx.post(f"http://127.0.0.1:{port}/session", json=asked, timeout=120).json()["value"]
        assert "sessionId" in made, made
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/session/{made['sessionId']}", timeout=60) as session:
            yield Browser(session)
            session.delete("")
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
