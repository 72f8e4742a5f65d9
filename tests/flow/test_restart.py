"""Calls of cells that are run again, by this kernel or the next, bind to the work that exists."""

import errno
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import nbflow as nf
from nbflow.errors import ResultsError
from nbflow.flow.current import current
from nbflow.flow.former.past import DONE, RESULTS_NAME, index_of, own_key, results_path
from nbflow.journal.places import JOURNAL_NAME
from nbflow.memo.results import ResultsFile, read_blocks

PRELUDE = """
import os, random, time
from pathlib import Path
import nbflow as nf
def mark(name):
    number = 0
    while True:
        try:
            return open(os.path.join(MARKS, f"{name}.{number}"), "x").close()
        except FileExistsError:
            number += 1
"""


class Notebook:
    """Be a notebook with one kernel at a time: threads of this process stand for it."""

    def __init__(self, marks: Path) -> None:
        self.marks = marks
        self.printed = ""
        self._capsys: Any = None
        self.start()

    def start(self, **options: Any) -> None:
        InteractiveShell.clear_instance()
        self.shell = InteractiveShell.instance()
        self.shell.user_ns.update(MARKS=str(self.marks), threading=threading)
        nf.load("threads", workers=4, **options)
        self.run("prelude", PRELUDE)

    def restart(self, **options: Any) -> None:
        nf.clear()
        self.start(**options)

    def run(self, cell: str | None, source: str) -> Any:
        """Run a cell with an id; return what its last line gives."""
        result = self.shell.run_cell(source, store_history=True, silent=False, cell_id=cell)
        result.raise_error()
        return result.result

    def runs(self) -> list[str]:
        """Return what was run, in order of names."""
        return sorted(path.name for path in self.marks.iterdir())


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "study.ipynb"))
    marks = tmp_path / "marks"
    marks.mkdir()
    yield Notebook(marks)
    nf.clear()
    InteractiveShell.clear_instance()


SQUARE = "@nf.python_app\ndef square(n):\n    mark(n)\n    return n * n\n"


def test_a_cell_that_is_run_again_binds_in_this_kernel_and_the_next(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.run("a", SQUARE)
    call = "nf.gather(square.map(range(3)))"
    assert notebook.run("b", call) == [0, 1, 4]
    assert "bound" not in capsys.readouterr().out
    assert notebook.run("b", call) == [0, 1, 4]
    assert "nbflow: 3 of 3 calls are bound to work that was there already. " in capsys.readouterr().out
    first = current().run_id
    notebook.restart()
    notebook.run("a", SQUARE)
    assert notebook.run("b", call) == [0, 1, 4]
    assert f"3 of 3 calls are bound to work of run {first}" in capsys.readouterr().out
    why = str(notebook.run("b", "f = square(1); f.result(); f.task.why()"))
    assert why == f"bound: task 2 of run {first} finished an equal call; nothing was run"
    assert notebook.runs() == ["0.0", "1.0", "2.0"]
    assert str(nf.load()).endswith(f"threads, with 3 results of run {first}")
    notebook.restart()
    notebook.run("a", SQUARE)
    # One more call: the others stay bound, through the runs before the last.
    assert notebook.run("b", "nf.gather(square.map(range(4)))") == [0, 1, 4, 9]
    assert "3 of 4 calls are bound to work of" in capsys.readouterr().out
    assert notebook.runs() == ["0.0", "1.0", "2.0", "3.0"]


def test_changed_code_is_run(notebook: Notebook) -> None:
    notebook.run("a", SQUARE)
    assert notebook.run("b", "square(3).result()") == 9
    notebook.run("a", SQUARE.replace("n * n", "n * n + 1"))
    assert notebook.run("b", "square(3).result()") == 10
    notebook.restart()
    notebook.run("a", SQUARE.replace("n * n", "n * n + 2"))
    assert notebook.run("b", "square(3).result()") == 11
    notebook.run("a", SQUARE + "    # but for this\n")
    assert notebook.run("b", "square(3).result()") == 9
    assert notebook.runs() == ["3.0", "3.1", "3.2"]


DRAW = "@nf.python_app\ndef draw():\n    mark('draw')\n    return random.random()\n"


def test_equal_calls_stay_as_many_and_those_downstream_fit(notebook: Notebook) -> None:
    notebook.run("a", DRAW + "@nf.python_app\ndef half(x):\n    mark('half')\n    return x / 2\n")
    cell = "draws = [draw() for _ in range(5)]; halves = [half(x) for x in draws]; nf.gather([draws, halves])"
    draws, _ = notebook.run("b", cell)
    assert len(set(draws)) == 5
    for _ in range(2):
        again, halved = notebook.run("b", cell)
        assert sorted(again) == sorted(draws)
        assert halved == [x / 2 for x in again]
        notebook.restart()
        notebook.run("a", DRAW + "@nf.python_app\ndef half(x):\n    mark('half')\n    return x / 2\n")
    other = notebook.run("c", "draw().result()")
    assert other not in draws
    assert len(notebook.runs()) == 11


def test_what_follows_a_draw_that_is_made_again_is_run_again(notebook: Notebook) -> None:
    source = (
        "@nf.python_app(cache=False)\ndef draw():\n    mark('draw')\n    return random.random()\n"
        "@nf.python_app\ndef half(x):\n    mark('half')\n    return x / 2\n"
    )
    notebook.run("a", source)
    cell = "x = draw(); y = half(x); nf.gather([x, y])"
    first, second = notebook.run("b", cell), notebook.run("b", cell)
    assert first[0] != second[0]
    assert second[1] == second[0] / 2
    assert notebook.runs() == ["draw.0", "draw.1", "half.0", "half.1"]


def test_fresh_runs_all_anew(notebook: Notebook) -> None:
    notebook.run("a", SQUARE)
    notebook.run("b", "square(2).result()")
    notebook.restart(fresh=True)
    notebook.run("a", SQUARE)
    notebook.run("b", "square(2).result()")
    assert notebook.runs() == ["2.0", "2.1"]
    nf.load(fresh=True)
    notebook.run("b", "square(2).result()")
    assert notebook.runs() == ["2.0", "2.1", "2.2"]
    notebook.run("b", "square(2).result()")
    notebook.restart()
    notebook.run("a", SQUARE)
    notebook.run("b", "square(2).result()")
    assert notebook.runs() == ["2.0", "2.1", "2.2"]


def test_failed_calls_are_run_again(notebook: Notebook) -> None:
    source = (
        "@nf.python_app\ndef flaky(n):\n    mark(n)\n"
        "    if n == 1 and not os.path.exists(MARKS + '/good'):\n        raise OSError('flaky')\n"
        "    return n\n"
        "@nf.python_app\ndef after(n):\n    mark(f'after{n}')\n    return n\n"
    )
    notebook.run("a", source)
    cell = (
        "futures = [after(flaky(n)) for n in range(3)]; nf.wait(futures)\n"
        "[f.exception() is None for f in futures]"
    )
    assert notebook.run("b", cell) == [True, False, True]
    (notebook.marks / "good").touch()
    notebook.restart()
    notebook.run("a", source)
    assert notebook.run("b", cell) == [True, True, True]
    assert notebook.runs() == ["0.0", "1.0", "1.1", "2.0", "after0.0", "after1.0", "after2.0", "good"]


def test_children_of_join_apps_bind_and_what_takes_the_join(notebook: Notebook) -> None:
    source = SQUARE + (
        "@nf.join_app\ndef sweep(n):\n    return {str(i): square(i) for i in range(n)}\n"
        "@nf.python_app\ndef total(parts):\n    mark('total')\n    return sum(parts.values())\n"
    )
    notebook.run("a", source)
    assert notebook.run("b", "total(sweep(4)).result()") == 14
    assert notebook.run("b", "total(sweep(4)).result()") == 14
    notebook.restart()
    notebook.run("a", source)
    assert notebook.run("b", "total(sweep(4)).result()") == 14
    assert notebook.runs() == ["0.0", "1.0", "2.0", "3.0", "total.0"]
    assert notebook.run("b", "total(sweep(5)).result()") == 30
    assert notebook.runs() == [
        "0.0",
        "0.1",
        "1.0",
        "1.1",
        "2.0",
        "2.1",
        "3.0",
        "3.1",
        "4.0",
        "total.0",
        "total.1",
    ]


def test_a_join_app_that_still_makes_calls_while_its_cell_runs_again(notebook: Notebook) -> None:
    # Its later calls are others than its earlier ones, and the new ones are bound to what there was before.
    source = DRAW + (
        "@nf.join_app\ndef draws():\n    made = [draw(), draw()]\n    nf.wait(made)\n    mark('half')\n"
        "    while not os.path.exists(MARKS + '/gate'):\n        time.sleep(0.005)\n"
        "    return [*made, draw(), draw()]\n"
    )
    notebook.run("a", source)
    notebook.run("b", "first = draws()")
    wait_until(lambda: "half.0" in notebook.runs())
    notebook.run("b", "second = draws()")
    wait_until(lambda: "half.1" in notebook.runs())
    (notebook.marks / "gate").touch()
    first, second = notebook.run("c", "nf.gather([first, second])")
    assert len(set(first)) == len(set(second)) == 4
    assert second[:2] == first[:2]
    assert sum(name.startswith("draw") for name in notebook.runs()) == len({*first, *second})


def test_a_cell_that_loads_is_run_again(notebook: Notebook) -> None:
    notebook.run("a", DRAW)
    run = current().run_id
    notebook.restart(resume=run)
    again = current().run_id
    notebook.run("a", DRAW)
    notebook.run("b", f"late = draw(); nf.load('threads', workers=4, resume={run!r})")
    assert current().run_id == again


def test_work_under_way_is_bound_to_and_a_failure_of_it_runs_anew(notebook: Notebook) -> None:
    notebook.run(
        "a",
        "@nf.python_app\ndef late(n):\n    mark(n)\n"
        "    while not os.path.exists(MARKS + f'/gate{n}'):\n        time.sleep(0.005)\n    return [n]\n",
    )
    first = notebook.run("b", "one = late(0), late(1); one")
    wait_until(lambda: len(notebook.runs()) == 2)
    second = notebook.run("b", "two = late(0), late(1); two")
    assert first[1].cancel()
    for number in range(2):
        (notebook.marks / f"gate{number}").touch()
    assert nf.gather(list(second)) == [[0], [1]]
    assert first[0].result() == [0]
    assert first[0].result() is not second[0].result()
    assert notebook.runs() == ["0.0", "1.0", "1.1", "gate0", "gate1"]


def test_bash_outputs_that_are_gone_or_changed_are_made_again(notebook: Notebook, tmp_path: Path) -> None:
    source = (
        "@nf.bash_app\ndef write(word, outputs=(), stdout=nf.AUTO):\n"
        "    return f'echo {word} >> {outputs[0]}; echo said {word}'\n"
    )
    notebook.run("a", source)
    out = tmp_path / "out.txt"
    cell = f"f = write('hi', outputs=[nf.File({str(out)!r})]); f.result(), open(f.stdout).read()"
    assert notebook.run("b", cell) == (0, "said hi\n")
    for _ in range(2):
        notebook.restart()
        notebook.run("a", source)
        assert notebook.run("b", cell) == (0, "said hi\n")
        assert out.read_text() == "hi\n"
    out.unlink()
    assert notebook.run("b", cell) == (0, "said hi\n")
    assert out.read_text() == "hi\n"
    out.write_text("other\n")
    assert notebook.run("b", cell) == (0, "said hi\n")
    assert out.read_text() == "other\nhi\n"


def test_cells_without_ids_bind_across_kernels_by_their_text(notebook: Notebook) -> None:
    notebook.run(None, DRAW)
    first = [notebook.run(None, "draw().result()") for _ in range(2)]
    assert first[0] != first[1]
    notebook.restart()
    notebook.run(None, DRAW)
    assert [notebook.run(None, "draw().result()") for _ in range(2)] == first
    assert len(notebook.runs()) == 2


def test_results_large_odd_and_unkept(notebook: Notebook) -> None:
    pytest.importorskip("numpy")
    source = (
        "import numpy as np\n"
        "class Point:\n    def __init__(self, x):\n        self.x = x\n"
        "@nf.python_app\ndef many(n):\n    mark('many')\n    return np.arange(n)\n"
        "@nf.python_app\ndef point(x):\n    mark('point')\n    return Point(x)\n"
        "@nf.python_app\ndef odd():\n    mark('odd')\n    return lambda: 3\n"
        "@nf.python_app\ndef total(a, more):\n    mark('total')\n    return int(a.sum()) + len(more['x'])\n"
    )
    cell = "r = nf.gather([many(100_000), point(4), odd(), total(many(3), {'x': [np.ones(3)] * 2})])\n"
    cell += "(r[0].sum(), r[1].x, type(r[1]) is Point, r[2](), r[3])"
    for _ in range(2):
        notebook.run("a", source)
        assert notebook.run("b", cell) == (4999950000, 4, True, 3, 5)
        notebook.restart()
    assert notebook.runs() == ["many.0", "many.1", "odd.0", "odd.1", "point.0", "total.0"]


def test_an_argument_that_changes_under_way_is_never_bound(notebook: Notebook) -> None:
    notebook.run(
        "a",
        "@nf.python_app\ndef grow(values):\n    mark('grow')\n    values.append(1)\n    return len(values)\n",
    )
    for _ in range(2):
        assert notebook.run("b", "grow([1, 2]).result()") == 3
    assert notebook.runs() == ["grow.0", "grow.1"]


def test_two_kernels_of_one_notebook(notebook: Notebook) -> None:
    # The second starts while the first still runs: it sees what the first has finished so far.
    notebook.run("a", SQUARE)
    notebook.run("b", "square(1).result()")
    first, shell = current(), notebook.shell
    from nbflow.flow import current as currents

    currents._current = None  # as if in a process of its own
    notebook.start()
    notebook.run("a", SQUARE)
    notebook.run("b", "nf.gather(square.map([1, 2]))")
    assert notebook.runs() == ["1.0", "2.0"]
    del shell
    first.close()
    # What the first kernel did is found by the next one beside what the second did, and by those after it.
    for _ in range(2):
        notebook.restart()
        notebook.run("a", SQUARE)
        notebook.run("b", "nf.gather(square.map([1, 2, 3]))")
        assert notebook.runs() == ["1.0", "2.0", "3.0"]


def test_kernels_that_began_together_are_both_found(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbflow.flow import current as currents

    nf.clear()
    monkeypatch.setattr("nbflow.flow.reuse.binding.time.time_ns", lambda: 7)  # neither knows of the other
    kernels = []
    for number in (1, 2):
        notebook.start()
        kernels.append(current())
        notebook.run("a", SQUARE)
        notebook.run("b", f"square({number}).result()")
        currents._current = None
    for kernel in kernels:
        kernel.close()
    monkeypatch.undo()
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook.marks.parent / "study.ipynb"))
    notebook.start()
    notebook.run("a", SQUARE)
    notebook.run("b", "nf.gather(square.map([1, 2]))")
    assert notebook.runs() == ["1.0", "2.0"]


def test_a_chosen_run_hides_what_was_run_since(notebook: Notebook) -> None:
    source = DRAW
    notebook.run("a", source)
    first = notebook.run("b", "draw().result()")
    run = current().run_id
    notebook.restart(fresh=True)
    notebook.run("a", source)
    second = notebook.run("b", "draw().result()")
    assert second != first
    notebook.restart()
    notebook.run("a", source)
    assert notebook.run("b", "draw().result()") == second
    for resume in (run, None):  # and the next kernel goes on from what was chosen
        notebook.restart(resume=resume)
        notebook.run("a", source)
        assert notebook.run("b", "draw().result()") == first
    with pytest.raises(ResultsError, match="no run 'other'"):
        notebook.restart(resume="other")
    notebook.start()


def test_two_notebooks_share_nothing(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook.run("a", DRAW)
    first = notebook.run("b", "draw().result()")
    home = str(notebook.marks.parent)
    monkeypatch.setenv("JPY_SESSION_NAME", f"{home}/other.ipynb")
    notebook.restart()
    notebook.run("a", DRAW)
    other = notebook.run("b", "draw().result()")
    assert other != first
    for name, drawn in (("study", first), ("other", other)):
        monkeypatch.setenv("JPY_SESSION_NAME", f"{home}/{name}.ipynb")
        notebook.restart()
        notebook.run("a", DRAW)
        assert notebook.run("b", "draw().result()") == drawn


def test_the_line_tells_what_is_bound_what_runs_and_what_waits(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    source = (
        "@nf.python_app\ndef late(n):\n    mark(n)\n"
        "    while not os.path.exists(MARKS + '/gate'):\n        time.sleep(0.005)\n    return n\n"
        "@nf.python_app(cache=False)\ndef always(n):\n    return late.fn(n)\n"
        "@nf.python_app\ndef after(n):\n    return n\n"
    )
    (notebook.marks / "gate").touch()
    notebook.run("a", source)
    cell = "r = [late(0), late(1), after(always(2)), after(3)]"
    notebook.run("b", cell + "; nf.gather(r)")
    notebook.restart()
    (notebook.marks / "gate").unlink()
    notebook.run("a", source)
    capsys.readouterr()
    notebook.run("b", cell + " + [late(4)]")
    assert "nbflow: 3 of 5 calls are bound to work of run " in (out := capsys.readouterr().out)
    assert ", 1 run, 1 wait for others. To run them anew: nbflow.load(fresh=True)\n" in out
    notebook.run("b", cell.replace("r =", "again =") + " + [late(4)]")
    assert "nbflow: 4 of 5 calls are bound" in capsys.readouterr().out
    (notebook.marks / "gate").touch()
    assert notebook.run("c", "nf.gather([r, again])") == [[0, 1, 2, 3, 4]] * 2
    assert notebook.runs() == ["0.0", "1.0", "2.0", "2.1", "2.2", "4.0", "gate"]


def test_F12_a_full_disk_stops_no_run_and_what_ends_later_is_kept(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    notebook.run("a", SQUARE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert notebook.run("b", "[square(n).result() for n in range(3)]") == [0, 1, 4]
    assert notebook.run("c", "square(3).result()") == 9
    (told,) = [record.getMessage() for record in caplog.records]
    assert "No space left on device. The run goes on; what ends now cannot be bound after a restart" in told
    notebook.restart()
    notebook.run("a", SQUARE)
    assert notebook.run("b", "[square(n).result() for n in range(3)]") == [0, 1, 4]
    assert notebook.run("c", "square(3).result()") == 9
    assert notebook.runs() == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1", "3.0"]


def test_F12_without_room_for_a_file_the_run_goes_on(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nbflow.flow.reuse.binding.ResultsFile", full)
    notebook.restart()
    notebook.run("a", SQUARE)
    assert [notebook.run("b", "square(2).result()") for _ in range(2)] == [4, 4]
    assert "Results of this run cannot be bound after a restart" in caplog.text


@pytest.mark.parametrize("name", [JOURNAL_NAME, RESULTS_NAME])
def test_F13_what_the_run_before_left_is_damaged_anywhere(notebook: Notebook, name: str) -> None:
    notebook.run("a", SQUARE)
    cell, squares = "[square(n).result() for n in range(8)]", [n * n for n in range(8)]
    assert notebook.run("b", cell) == squares
    path = results_path(current().run_id).with_name(name)
    nf.clear()
    whole, chance = path.read_bytes(), random.Random(13)
    for _ in range(12):
        damaged = bytearray(whole)
        at = chance.randrange(len(whole))
        damaged[at : at + 50] = chance.randbytes(50)
        path.write_bytes(damaged)
        notebook.start(resume=None)
        notebook.run("a", SQUARE)
        assert notebook.run("b", cell) == squares
        # Each life starts from the damaged one alone.
        left = results_path(current().run_id)
        nf.clear()
        left.unlink()
    if name == JOURNAL_NAME:
        assert len(notebook.runs()) == 8


def test_results_of_another_version_are_told_and_run_again(
    notebook: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    notebook.run("a", SQUARE)
    assert notebook.run("b", "square(2).result()") == 4
    run, key = current().run_id, own_key()
    nf.clear()
    path = results_path(run)
    (start, *_) = read_blocks(path, key)
    path.unlink()
    other = ResultsFile(path, key)
    other.append(start.index)
    other.append(index_of(DONE, [("more", "or", "less")]))
    other.close()
    notebook.start()
    assert "are of another version" in caplog.text
    notebook.run("a", SQUARE)
    assert notebook.run("b", "square(2).result()") == 4
    assert notebook.runs() == ["2.0", "2.1"]
    with pytest.raises(ResultsError, match="are of another version"):
        notebook.restart(resume=run)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_random_notebooks(notebook: Notebook) -> None:
    """Whatever is re-run in whatever order, values are those that a run without memory gives."""
    dice = random.Random(4)
    notebook.run("a", SQUARE + "@nf.python_app\ndef add(*n):\n    mark('add')\n    return sum(n)\n")
    for step in range(12):
        numbers = [dice.randrange(4) for _ in range(4)]
        cell = f"s = [square(n) for n in {numbers}]; nf.gather([s, add(*s), add(s[0], add(s[1], 1))])"
        squares = [n * n for n in numbers]
        assert notebook.run(f"c{dice.randrange(2)}", cell) == [
            squares,
            sum(squares),
            squares[0] + squares[1] + 1,
        ]
        if step % 4 == 3:
            notebook.restart()
            notebook.run("a", SQUARE + "@nf.python_app\ndef add(*n):\n    mark('add')\n    return sum(n)\n")
