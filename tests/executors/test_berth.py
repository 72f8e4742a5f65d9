"""The lock on the pilots that a kernel left: one process has it; a look takes it from none."""

import threading
from pathlib import Path

from nbflow.executors.pilots.berth import Owner, berths, lock_berth, take_berth

OWNER = Owner(notebook="n.ipynb", label="yard", site="yard", host="")


def test_what_is_used_cannot_be_taken_and_is_said_to_be_used(tmp_path: Path) -> None:
    berth = take_berth(tmp_path, OWNER)
    assert [is_used for *_, is_used in berths(tmp_path)] == [True]
    assert lock_berth(berth.directory) is None
    assert take_berth(tmp_path, OWNER).directory != berth.directory


def test_what_was_left_is_taken_also_while_others_look(tmp_path: Path) -> None:
    take_berth(tmp_path, OWNER).leave()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            list(berths(tmp_path))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(200):
            take_berth(tmp_path, OWNER).leave()
    finally:
        is_over.set()
        watcher.join()
    assert len(list(berths(tmp_path))) == 1, "a kernel that looked at the wrong moment began anew"
