import os
import pickle
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbflow.errors import ConfigError, NotMemoizable
from nbflow.memo import store as module
from nbflow.memo.codec import decode, encode
from nbflow.memo.collect import find_garbage, forget
from nbflow.memo.store import DATABASE, Record, Store

LARGE = 100_000


def record(number: int, value: Any, app: str = "app") -> Record:
    codec, data = encode(value)
    return Record(
        key=bytes([number]) * 32,
        app=app,
        kind="python",
        code=b"c" * 32,
        parts=[("app", "00", "def app(x): ...")],
        forms={"x": ("00", repr(number))},
        outputs=[],
        codec=codec,
        data=data,
    )


def key(number: int) -> bytes:
    return bytes([number]) * 32


def values(store: Store, *numbers: int) -> dict[int, Any]:
    return {found[0]: entry.value() for found, entry in store.find(map(key, numbers)).items()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "memo")


def test_what_was_added_is_found_by_others(store: Store, tmp_path: Path) -> None:
    store.add([record(1, {"a": [1, 2.5, None]}), record(2, "x" * LARGE), record(3, {1, 2})])
    assert values(Store(tmp_path / "memo"), 1, 2, 3, 4) == {
        1: {"a": [1, 2.5, None]},
        2: "x" * LARGE,
        3: {1, 2},
    }


def test_only_the_user_can_look_inside(store: Store) -> None:
    store.add([record(1, "x" * LARGE)])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.directory.rglob("*")}
    assert stat.S_IMODE(store.directory.stat().st_mode) == modes.pop("blobs") == 0o700
    assert set(modes.values()) == {0o600}


def test_a_pickle_that_another_wrote_is_never_opened(store: Store, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    store.add([record(1, {1, 2})])
    store._open().execute("UPDATE results SET payload = ?", (pickle.dumps(Trap()),))
    assert values(store, 1) == {}
    assert not (tmp_path / "sprung").exists()


def test_a_lost_key_loses_the_results_and_nothing_else(store: Store, tmp_path: Path) -> None:
    store.add([record(1, 1)])
    (store.directory / "key").write_bytes(b"short")
    again = Store(tmp_path / "memo")
    assert values(again, 1) == {}
    again.add([record(1, 2)])
    assert values(again, 1) == {1: 2}


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="NBFLOW_CACHE_DIR"):
        Store(tmp_path / "file" / "memo")


def test_F13_a_damaged_large_result_is_recomputed(store: Store) -> None:
    value = "x" * LARGE
    store.add([record(1, value)])
    (blob,) = (store.directory / "blobs").iterdir()
    whole = blob.read_bytes()
    for length in range(0, len(whole), 997):
        blob.write_bytes(whole[:length])
        assert values(store, 1) == {}
        store.add([record(1, value)])
        assert values(store, 1) == {1: value}
    chance = random.Random(13)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        blob.write_bytes(damaged)
        assert values(store, 1) == {}
        store.add([record(1, value)])


def test_F13_no_damage_of_the_database_gives_a_wrong_value(tmp_path: Path) -> None:
    expected = {number: [number, "text" * number] for number in range(20)}
    good = Store(tmp_path / "good")
    good.add([record(number, value) for number, value in expected.items()])
    good._open().execute("PRAGMA journal_mode = DELETE")
    good.close()
    whole, secret = (good.directory / DATABASE).read_bytes(), (good.directory / "key").read_bytes()
    chance = random.Random(13)
    damages = [whole[:length] for length in range(0, len(whole), 211)]
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 1, 8))):
            damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        damages.append(bytes(damaged))
    for number, damaged in enumerate([*damages, b"a foreign file" * 100, b"\0" * 5000]):
        directory = tmp_path / str(number)
        (directory).mkdir(mode=0o700)
        (directory / DATABASE).write_bytes(damaged)
        (directory / "key").write_bytes(secret)
        store = Store(directory)
        found = values(store, *expected)
        assert found.items() <= expected.items()
        store.add([record(21, "new")])
        store.add([record(21, "new")])
        assert values(store, 21) in ({}, {21: "new"})
        store.close()


CRASH = """
import os, signal, sys
from tests.memo.test_store import *
point, count = int(sys.argv[2]), 0
def deadly(function):
    def call(*args, **more):
        global count
        count += 1
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **more)
    return call
os.fsync, os.replace, os.link = deadly(os.fsync), deadly(os.replace), deadly(os.link)
store = Store(Path(sys.argv[1]))
for number in range(1, 4):
    store.add([record(number, chr(64 + number) * LARGE)])
    print(number, flush=True)
"""


def crash_at(point: int, directory: Path) -> tuple[int, list[int]]:
    ran = subprocess.run(
        [sys.executable, "-c", CRASH, str(directory), str(point)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, [int(line) for line in ran.stdout.split()]


def test_F14_whatever_was_told_to_be_remembered_is_there_after_any_crash(tmp_path: Path) -> None:
    for point in range(1, 100):
        code, told = crash_at(point, tmp_path / str(point))
        store = Store(tmp_path / str(point))
        found = values(store, 1, 2, 3)
        assert set(found) >= set(told)
        assert all(value == chr(64 + number) * LARGE for number, value in found.items())
        store.add([record(4, 4)])
        assert values(store, 4) == {4: 4}
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert point > 10


def test_the_least_used_goes_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 5):
        monkeypatch.setattr(module.time, "time", lambda number=number: 1e6 + number * 1e4)
        store.add([record(number, "x" * 1000)])
    values(store, 1)
    garbage = find_garbage(store, max_nbytes=2100)
    assert sorted(garbage.keys) == [key(2), key(3)]
    assert (garbage.kept, garbage.kept_nbytes) == (2, 2004)
    store.remove(garbage.keys)
    assert set(values(store, 1, 2, 3, 4)) == {1, 4}


def test_forgetting_an_app_leaves_the_others(store: Store) -> None:
    store.add([record(1, 1, "one"), record(2, 2, "two")])
    assert forget(store, "one") == 1
    assert values(store, 1, 2) == {2: 2}


@pytest.mark.parametrize(
    ("value", "codec"),
    [
        ([1, 2.5, None, True, "é\ud800"], "json"),
        ({"a": {"b": []}}, "json"),
        (float("inf"), "json"),
        (b"\0", "bytes"),
        ((1, 2), "pickle"),
        ({1: 2}, "pickle"),
        (1 << 4096, "pickle"),
        (np.arange(3.0), "npy"),
        (np.float64(1), "pickle"),
        (np.array([{}]), "pickle"),
        (np.zeros(2, "i4, f8"), "pickle"),
    ],
)
def test_codecs_give_exactly_the_same_back(value: Any, codec: str) -> None:
    name, data = encode(value)
    back = decode(name, data)
    assert (name, type(back)) == (codec, type(value))
    np.testing.assert_array_equal(back, value) if isinstance(value, np.ndarray) else None
    assert isinstance(value, np.ndarray) or back == value


def test_what_cannot_be_kept_says_why() -> None:
    with pytest.raises(NotMemoizable, match="its result cannot be kept: "):
        encode(lambda: 1)
