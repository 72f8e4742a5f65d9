"""The file of results: what was told to be there is there, and nothing else is believed."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from nbflow.errors import ResultsError
from nbflow.memo.results import MAGIC, ResultsFile, digest_of_data, read_blocks, read_data

KEY = b"k" * 32
BLOCKS = [(b"index %d" % number, [b"data", b"x" * number * 40]) for number in range(12)]
ROOT = Path(__file__).parents[2]


def written(path: Path, blocks: int = len(BLOCKS)) -> Path:
    file = ResultsFile(path, KEY)
    for index, data in BLOCKS[:blocks]:
        file.append(index, data)
    file.close()
    return path


def indexes(path: Path) -> list[bytes]:
    return [block.index for block in read_blocks(path, KEY)]


EXPECTED = [index for index, _ in BLOCKS]


def test_blocks_are_read_back_also_while_more_are_written(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results", KEY)
    end = 0
    for index, data in BLOCKS:
        at = file.append(index, data)
        (block,) = read_blocks(file.path, KEY, end)
        assert (block.index, block.data_at) == (index, at)
        whole = b"".join(data)
        assert read_data(file.path, at, len(whole), digest_of_data(whole)) == whole
        end = block.end
    file.sync()
    file.close()
    assert indexes(file.path) == EXPECTED
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    written(tmp_path / "results")
    with pytest.raises(FileExistsError):
        ResultsFile(tmp_path / "results", KEY)


def test_F13_a_truncated_file_gives_the_blocks_before(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole").read_bytes()
    ends = [block.end for block in read_blocks(tmp_path / "whole", KEY)]
    path = tmp_path / "results"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if length < len(MAGIC):
            with pytest.raises(ResultsError, match="holds no results"):
                indexes(path)
        else:
            assert indexes(path) == EXPECTED[: sum(end <= length for end in ends)]


def test_F13_flipped_bits_give_no_wrong_index_and_no_wrong_data(tmp_path: Path) -> None:
    whole, chance = written(tmp_path / "whole").read_bytes(), random.Random(13)
    places = [(block.data_at, block.index) for block in read_blocks(tmp_path / "whole", KEY)]
    path = tmp_path / "results"
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 8))):
            damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            found = indexes(path)
        except ResultsError:
            continue
        assert found == EXPECTED[: len(found)]
        for (at, _), (_, pieces) in zip(places, BLOCKS, strict=True):
            data = b"".join(pieces)
            with suppress(ResultsError):
                assert read_data(path, at, len(data), digest_of_data(data)) == data


@pytest.mark.parametrize("content", [b"", b"a foreign file" * 9, b"nbflow results 9\n" + b"?" * 200])
def test_F13_a_foreign_file_and_one_of_another_version_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "results").write_bytes(content)
    with pytest.raises(ResultsError, match="holds no results of nbflow, or was damaged"):
        indexes(tmp_path / "results")


def test_F13_blocks_that_were_moved_or_left_out_are_not_believed(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole").read_bytes()
    first, second = [block.end for block in read_blocks(tmp_path / "whole", KEY)][:2]
    path = tmp_path / "results"
    path.write_bytes(whole[:first] + whole[second:])
    assert indexes(path) == EXPECTED[:1]
    path.write_bytes(whole[: len(MAGIC)] + whole[first:])
    with pytest.raises(ResultsError, match="written by somebody else, or were damaged"):
        indexes(path)


def test_F12_a_full_disk_leaves_what_was_there_and_later_blocks_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ResultsFile(tmp_path / "results", KEY)
    file.append(*BLOCKS[0])
    write = os.pwrite

    def full(descriptor: int, data: memoryview, at: int) -> int:
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: left.pop()], at)

    for room in ([], [1], [60], [40, 30]):
        left = room
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            with pytest.raises(OSError, match="No space left"):
                file.append(*BLOCKS[5])
        assert indexes(file.path) == EXPECTED[:1]
        assert file.path.stat().st_size == file.nbytes
    file.append(*BLOCKS[1])
    file.close()
    assert indexes(file.path) == EXPECTED[:2]


CRASH = """
import os, signal, sys
from tests.memo.test_results import *
point, count = int(sys.argv[2]), 0
def deadly(function, half):
    def call(*args):
        global count
        count += 1
        if count == point:
            half(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    return call
def torn(descriptor, data, at):
    write(descriptor, data[:len(data) // 2], at)
write = os.pwrite
os.pwrite = deadly(write, torn)
os.fsync, os.open = deadly(os.fsync, lambda *a: None), deadly(os.open, lambda *a: None)
file = ResultsFile(Path(sys.argv[1]), KEY)
for number, block in enumerate(BLOCKS[:4]):
    file.append(*block)
    print(number, flush=True)
    if number % 2:
        file.sync()
"""


def test_F14_what_was_told_to_be_kept_is_there_after_any_crash(tmp_path: Path) -> None:
    for point in range(1, 100):
        path = tmp_path / str(point)
        ran = subprocess.run(
            [sys.executable, "-c", CRASH, str(path), str(point)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        told = len(ran.stdout.split())
        try:
            found = indexes(path)
        except ResultsError:
            found = []
        assert found == EXPECTED[: len(found)]
        assert len(found) == told
        if ran.returncode == 0:
            break
        assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert point > 10
