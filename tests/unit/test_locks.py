"""Lock files that are removed with the work they guard."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from promthctl.locks import is_held, locked_briefly
from promthctl.steps import Silent


def test_a_lock_that_is_removed_at_its_end_still_lets_one_in_at_a_time(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "x.lock", [], []

    def work(number: int) -> None:
        with locked_briefly(path, Silent(), "this"):
            inside.append(number)
            most.append(len(inside))
            assert is_held(path)
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert max(most) == 1 and len(most) == 200
    assert not path.exists() and not is_held(path)
