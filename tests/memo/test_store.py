import marshal
import os
import pickle
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbflow.errors import ConfigError, NotMemoizable
from nbflow.memo import store as module
from nbflow.memo.codec import decode, encode
from nbflow.memo.collect import find_garbage, forget
from nbflow.memo.keys import Code
from nbflow.memo.recent import MOST_NBYTES
from nbflow.memo.store import DATABASE, Entry, Store, row_of
from nbflow.wire.fingerprint import CodePart, Fingerprint

LARGE = 100_000


def code_of(app: str = "app") -> Code:
    return Code(app, "python", Fingerprint(b"c" * 32, (CodePart("app", "00", "def app(x): ..."),)))


def add(store: Store, values: Mapping[int, Any], app: str = "app") -> None:
    """Remember what calls of an app gave."""
    now, code = time.time(), code_of(app)
    store.add(
        [
            row_of(key(number), code, repr({"x": f"int {number}"}), Entry(*encode(value), ()), 0.0, now, 1.0)
            for number, value in values.items()
        ],
        [code],
    )


def key(number: int) -> bytes:
    return bytes([number]) * 16


def values(store: Store, *numbers: int) -> dict[int, Any]:
    return {
        found[0]: entry.value() for found, entry in store.find(map(key, numbers), [code_of().number]).items()
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "memo")


def test_what_was_added_is_found_by_others(store: Store, tmp_path: Path) -> None:
    add(store, {1: {"a": [1, 2.5, None]}, 2: "x" * LARGE, 3: {1, 2}})
    assert values(Store(tmp_path / "memo"), 1, 2, 3, 4) == {
        1: {"a": [1, 2.5, None]},
        2: "x" * LARGE,
        3: {1, 2},
    }


def test_an_old_sqlite_takes_fewer_values_at_once(store: Store) -> None:
    store._open().setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 30)
    add(store, {number: number for number in range(100)})
    store.settle()
    assert values(store, *range(100)) == {number: number for number in range(100)}


def test_F14_kernels_see_what_another_adds_settles_and_forgets(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "memo")
    for turn in range(3):
        add(store, {1: turn, 2: turn})
        assert values(other, 1, 2) == {1: turn, 2: turn}
        add(other, {2: "newer", 3: turn})
        add(store, {4: turn})
        assert values(store, 1, 2, 3, 4) == {1: turn, 2: "newer", 3: turn, 4: turn}
        if turn == 1:
            other.settle()
            assert values(store, 1, 2, 3, 4) == {1: 1, 2: "newer", 3: 1, 4: 1}
        assert forget(other, "app") == 4
        assert values(store, 1, 2, 3, 4) == values(other, 1, 2, 3, 4) == {}


def test_many_results_that_come_at_once_are_several_batches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    add(store, {number: "x" * number for number in range(25)})
    assert store._open().execute("SELECT count(*) FROM recent").fetchone() == (3,)
    assert len(values(store, *range(25))) == 25
    assert store.query("SELECT count(*) FROM results") == [(25,)]


def test_what_is_in_memory_is_bounded(store: Store) -> None:
    for number in range(100):
        add(store, {number: "x" * (MOST_NBYTES // 200)})
    assert store._recent._nbytes <= MOST_NBYTES
    add(store, {100: "y" * (MOST_NBYTES // 200)})
    assert len(values(store, *range(101))) == 101


def test_only_the_user_can_look_inside(store: Store) -> None:
    add(store, {1: "x" * LARGE})
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.directory.rglob("*")}
    assert stat.S_IMODE(store.directory.stat().st_mode) == modes.pop("blobs") == 0o700
    assert set(modes.values()) == {0o600}


def test_a_pickle_that_another_wrote_is_never_opened(store: Store, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    add(store, {1: {1, 2}})
    others = [(*row[:2], pickle.dumps(Trap()), *row[3:]) for row in store._recent._rows.values()]
    forged = Store(tmp_path / "memo")
    forged._open().execute("UPDATE recent SET rows = ?", (marshal.dumps(others),))
    assert values(forged, 1) == {}
    forged.settle()
    add(store, {1: {1, 2}})
    store.settle()
    store._open().execute("UPDATE results SET payload = ?", (pickle.dumps(Trap()),))
    assert values(store, 1) == {}
    assert not (tmp_path / "sprung").exists()


def test_a_lost_key_loses_the_results_and_nothing_else(store: Store, tmp_path: Path) -> None:
    add(store, {1: 1})
    (store.directory / "key").write_bytes(b"short")
    again = Store(tmp_path / "memo")
    assert values(again, 1) == {}
    add(again, {1: 2})
    assert values(again, 1) == {1: 2}


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="NBFLOW_CACHE_DIR"):
        Store(tmp_path / "file" / "memo")


def flipped(whole: bytes, chance: random.Random, times: int = 1) -> bytes:
    damaged = bytearray(whole)
    for _ in range(times):
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def test_F13_a_damaged_large_result_is_recomputed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INLINE_NBYTES", 100)
    value = "x" * 400
    add(store, {1: value})
    (blob,) = (store.directory / "blobs").iterdir()
    whole, chance = blob.read_bytes(), random.Random(13)
    truncated = [whole[:length] for length in range(len(whole))]
    for damaged in [*truncated, *(flipped(whole, chance) for _ in range(100)), b"foreign" * 100]:
        blob.write_bytes(damaged)
        assert values(store, 1) == {}
        add(store, {1: value})
        assert values(store, 1) == {1: value}


EXPECTED = {number: [number, "text" * number] for number in range(20)}


@pytest.fixture(scope="module", params=["in the index", "recent"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Return a good database, as one file, and the key that sealed it."""
    good = Store(tmp_path_factory.mktemp("good"))
    add(good, EXPECTED)
    if request.param == "in the index":
        good.settle()
    good._open().execute("PRAGMA journal_mode = DELETE")
    good.close()
    return (good.directory / DATABASE).read_bytes(), (good.directory / "key").read_bytes()


def expect_no_wrong_value(directory: Path, database: bytes, secret: bytes) -> Store:
    """Open a store with this database; what is found is right, and it can be used."""
    directory.mkdir(mode=0o700)
    (directory / DATABASE).write_bytes(database)
    (directory / "key").write_bytes(secret)
    store = Store(directory)
    assert values(store, *EXPECTED).items() <= EXPECTED.items()
    add(store, {21: "new"})
    add(store, {21: "new"})
    assert values(store, 21) in ({}, {21: "new"})
    return store


def test_F13_a_truncated_database_gives_no_wrong_value(whole: tuple[bytes, bytes], tmp_path: Path) -> None:
    database, secret = whole
    # Every byte of the header, those about each page's end, and steps that fall anywhere in a page.
    lengths = {*range(110), *range(0, len(database), 211)}
    lengths |= {page + near for page in range(4096, len(database), 4096) for near in (-1, 0, 1)}
    for length in sorted(lengths):
        expect_no_wrong_value(tmp_path / str(length), database[:length], secret).close()


def test_F13_flipped_bits_give_no_wrong_value(whole: tuple[bytes, bytes], tmp_path: Path) -> None:
    database, secret = whole
    chance = random.Random(13)
    for number in range(250):
        damaged = flipped(database, chance, chance.choice((1, 1, 1, 8)))
        expect_no_wrong_value(tmp_path / str(number), damaged, secret).close()


OTHER_LAYOUTS = {
    "of an old version": "CREATE TABLE results (key BLOB PRIMARY KEY, payload BLOB, seal BLOB)",
    "of a newer version": "CREATE TABLE results (key TEXT, more TEXT); CREATE TABLE codes (id, more)",
    "foreign": "CREATE TABLE birds (name TEXT); INSERT INTO birds VALUES ('wren')",
}


@pytest.mark.parametrize("layout", OTHER_LAYOUTS)
def test_F13_another_layout_gives_no_wrong_value(
    layout: str, whole: tuple[bytes, bytes], tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.executescript(OTHER_LAYOUTS[layout])
    connection.close()
    store = expect_no_wrong_value(tmp_path / "store", (tmp_path / "other").read_bytes(), whole[1])
    assert values(store, 21) == {21: "new"}


@pytest.mark.parametrize("content", [b"a foreign file" * 100, b"\0" * 5000, b""])
def test_F13_a_file_that_is_no_database_is_set_aside(
    content: bytes, whole: tuple[bytes, bytes], tmp_path: Path
) -> None:
    store = expect_no_wrong_value(tmp_path / "store", content, whole[1])
    assert values(store, 21) == {21: "new"}


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
    add(store, {number: chr(64 + number) * LARGE})
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
        add(store, {4: 4})
        assert values(store, 4) == {4: 4}
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert point > 10


def test_F14_what_a_crash_left_half_written_is_cleared_away(store: Store) -> None:
    add(store, {1: "x" * LARGE})
    half = store.directory / "blobs" / f".{'0' * 64}.half"
    half.write_bytes(b"half")
    os.utime(half, (1, 1))
    store.remove([key(2)])
    assert not half.exists()
    assert values(store, 1) == {1: "x" * LARGE}


HAMMER = """
import random, sys
from tests.memo.test_store import *
store, chance, seed = Store(Path(sys.argv[1])), random.Random(sys.argv[2]), int(sys.argv[2])
for turn in range(60):
    numbers = [chance.randrange(30) for _ in range(5)]
    add(store, {number: [number, "x" * (LARGE if number % 7 == 0 else number)] for number in numbers})
    for number, value in values(store, *range(30)).items():
        assert value[0] == number and set(value[1]) <= {"x"}, value
    if turn % 10 == seed:
        store.remove([key(chance.randrange(30))])
        find_garbage(store, max_nbytes=1000)
assert not store._has_warned
print("done")
"""


def test_F14_processes_share_one_store(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(tmp_path / "memo"), str(seed)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": root},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2, 3)
    ]
    assert [process.communicate(timeout=60) for process in running] == [("done\n", "")] * 3
    assert len(values(Store(tmp_path / "memo"), *range(30))) > 20


def test_F14_a_store_may_be_begun_by_many_at_the_same_moment(tmp_path: Path) -> None:
    many = 6
    with ThreadPoolExecutor(many) as pool:
        for turn in range(20):
            together = threading.Barrier(many)

            def begin(number: int, turn: int = turn, together: threading.Barrier = together) -> bool:
                store = Store(tmp_path / str(turn))
                together.wait()
                add(store, {number: number})
                store.close()
                return store._has_warned

            assert not any(pool.map(begin, range(many)))
            assert len(values(Store(tmp_path / str(turn)), *range(many))) == many


def test_the_least_used_goes_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 5):
        monkeypatch.setattr(module.time, "time", lambda number=number: 1e6 + number * 1e4)
        add(store, {number: "x" * 1000})
    values(store, 1)
    garbage = find_garbage(store, max_nbytes=2100)
    assert sorted(garbage.keys) == [key(2), key(3)]
    assert (garbage.kept, garbage.kept_nbytes) == (2, 2004)
    store.remove(garbage.keys)
    assert set(values(store, 1, 2, 3, 4)) == {1, 4}


def test_forgetting_an_app_leaves_the_others(store: Store) -> None:
    add(store, {1: 1}, "one")
    add(store, {2: 2}, "two")
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
