"""Bad input: each gives a clear typed error on the right future, and everything else goes on.

The ids B4 are the rows about arguments and results that cannot travel or must not be trusted.
"""

import concurrent.futures
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import (
    AppExited,
    AppTypeError,
    BashExitFailure,
    ConfigError,
    DependencyError,
    InvalidResources,
    JoinError,
    MissingOutputs,
    NotLoaded,
    NotPicklable,
    RemoteError,
    TaskError,
    WorkerLost,
)

from .nemesis import Nemesis, nemesis

__all__ = ["nemesis"]

double = nf.python_app(lambda x: 2 * x)


@pytest.fixture(autouse=True)
def run(nemesis: Nemesis) -> Nemesis:
    nf.load("processes", workers=2)
    return nemesis


def fails(future: Any, kind: type[BaseException]) -> BaseException:
    """Assert that a call fails as it should, and that others go on before and after."""
    error = future.exception(60)
    assert isinstance(error, kind), repr(error)
    if isinstance(error, TaskError):
        assert error.task == future.task.id
    assert str(error), "an error says something"
    assert double(21).result(60) == 42
    return error


# Calls and declarations


def test_an_app_called_before_or_after_a_load(run: Nemesis) -> None:
    held = double(1)
    nf.clear()
    with pytest.raises(NotLoaded, match="load"):
        double(1)
    assert held.done()
    nf.load("threads", workers=1)
    assert double(2).result(60) == 4


def test_wrong_resources() -> None:
    with pytest.raises(InvalidResources, match="10000"):
        double.options(cores=10_000)(1)
    for wrong in ({"cores": 0}, {"cores": 1.5}, {"memory": -1}, {"walltime": 0}, {"retries": -1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            double.options(**wrong)(1)
    assert double(1).result(60) == 2


def test_an_unknown_executor() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        double.options(executors="nowhere")(1)
    with pytest.raises(ConfigError, match=r"no executor and no site 'nowhere' \(executors: futures,"):
        nf.load("nowhere")
    assert double(1).result(60) == 2


def test_what_is_no_function() -> None:
    with pytest.raises(AppTypeError):
        nf.python_app(3)  # type: ignore[call-overload]


def test_arguments_that_the_function_does_not_take() -> None:
    with pytest.raises((TypeError, AppTypeError)):
        double(1, 2).result(60)


# What does not travel


def test_B4_an_argument_that_cannot_travel_is_named_by_its_path() -> None:
    error = fails(double({"model": [1, threading.Lock()]}), NotPicklable)
    assert "['model'][1]" in str(error)


def test_B4_a_result_that_cannot_travel() -> None:
    fails(nf.python_app(lambda: threading.Lock())(), NotPicklable)


def test_B4_an_argument_that_holds_itself_arrives() -> None:
    knot: list[Any] = []
    knot.append(knot)
    assert nf.python_app(lambda x: x[0] is x)(knot).result(60)


def test_B4_reducing_raises() -> None:
    class Odd:
        def __reduce__(self) -> Any:
            raise LookupError("no way")

    error = fails(double(Odd()), NotPicklable)
    assert "no way" in str(error)


def test_B4_an_exception_that_cannot_be_pickled_or_read() -> None:
    class TwoArguments(Exception):
        def __init__(self, first: str, second: str) -> None:
            super().__init__(first)

    class WithLock(Exception):
        def __init__(self) -> None:
            super().__init__("locked")
            self.lock = threading.Lock()

    def raise_two() -> None:
        raise TwoArguments("left", "right")

    def raise_lock() -> None:
        raise WithLock

    assert "left" in str(fails(nf.python_app(raise_two)(), RemoteError))
    assert "locked" in str(fails(nf.python_app(raise_lock)(), RemoteError))


def test_B4_a_huge_repr_and_a_repr_that_raises() -> None:
    class Huge:
        def __repr__(self) -> str:
            raise MemoryError("asked for a repr")

    assert nf.python_app(lambda x: 1)(Huge()).result(60) == 1
    assert nf.python_app(lambda x: len(x))("z" * 5_000_000).result(60) == 5_000_000
    assert len(str(nf.tasks())) < 100_000


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_B4_a_destructor_that_raises() -> None:
    class Bomb:
        def __del__(self) -> None:
            raise RuntimeError("late")

    assert nf.python_app(lambda x: 5)(Bomb()).result(60) == 5
    assert double(1).result(60) == 2


def test_B4_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    assert nf.python_app(lambda x: x)(name).result(60) == name


def test_B4_an_exception_whose_text_raises() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    def raise_mute() -> None:
        raise Mute

    assert isinstance(nf.python_app(raise_mute)().exception(60), Exception)
    assert double(1).result(60) == 2


def test_B4_a_class_of_main_that_was_defined_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
import nbflow as nf

class Point:
    version = 1

@nf.python_app
def version(point):
    return type(point).version, Point.version

if __name__ == "__main__":
    nf.load("processes", workers=1)
    print(version(Point()).result(60))
    class Point:
        version = 2
    print(version(Point()).result(60))
    nf.clear()
"""
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=90, check=False)
    assert ended.stdout.split("\n")[:2] == ["(1, 1)", "(2, 2)"], ended.stderr


# What ends or soils the worker


ENDINGS: dict[str, tuple[Callable[[], Any], type[BaseException]]] = {
    "os._exit": (lambda: os._exit(3), WorkerLost),
    "sys.exit": (lambda: sys.exit(3), AppExited),
    "KeyboardInterrupt": (lambda: (_ for _ in ()).throw(KeyboardInterrupt()), AppExited),
    "BaseException": (lambda: exec("class Odd(BaseException): pass\nraise Odd('base')"), AppExited),
    "SystemExit with text": (lambda: sys.exit("bye"), AppExited),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_call_that_tries_to_end_its_worker(ending: str) -> None:
    body, kind = ENDINGS[ending]
    others = double.map(range(20))
    fails(nf.python_app(body)(), kind)
    assert nf.gather(others, timeout=60) == [2 * x for x in range(20)]


def test_a_call_that_forks_closes_stdin_and_changes_the_directory() -> None:
    def rude() -> str:
        if os.fork() == 0:
            os._exit(0)
        sys.stdin.close()
        os.close(0)
        os.chdir("/")
        return "done"

    assert nf.python_app(rude)().result(60) == "done"
    assert nf.gather(double.map(range(10)), timeout=60) == [2 * x for x in range(10)]


def test_a_call_that_prints_a_hundred_megabytes() -> None:
    def shout() -> int:
        for _ in range(100):
            print("x" * 1_000_000)
        return 1

    assert nf.python_app(shout)().result(60) == 1
    assert double(1).result(60) == 2


def test_a_call_that_leaves_children_behind() -> None:
    def spawn() -> int:
        import subprocess

        return subprocess.Popen(["sleep", "300"]).pid

    assert nf.python_app(spawn)().result(60) > 0
    assert double(1).result(60) == 2


# Bash and files


def test_a_command_that_fails_and_one_that_is_none() -> None:
    error = fails(nf.bash_app(lambda: "echo oh >&2; exit 3")(), BashExitFailure)
    assert isinstance(error, BashExitFailure)
    assert error.exit_code == 3
    assert "oh" in str(error)
    fails(nf.bash_app(lambda: 5)(), TypeError)


def test_a_promised_file_that_is_not_there(tmp_path: Path) -> None:
    def forget(outputs: Any = ()) -> None:
        return None

    future = nf.python_app(forget)(outputs=[nf.File(str(tmp_path / "gone.txt"))])
    error = fails(future, MissingOutputs)
    assert "gone.txt" in str(error)
    assert isinstance(future.outputs[0].exception(60), MissingOutputs)


# Joins


def test_a_cycle_through_a_join() -> None:
    holder: list[Any] = []
    ready = threading.Event()

    def knot() -> Any:
        ready.wait(60)
        return holder[0]

    join = nf.join_app(knot)()
    holder.append(double(join))
    ready.set()
    fails(join, JoinError)
    fails(holder[0], DependencyError)


def test_a_join_that_returns_no_future_gives_its_value() -> None:
    assert nf.join_app(lambda: [1, {"a": None}])().result(60) == [1, {"a": None}]


def test_a_join_whose_results_do_not_fit_the_arrangement_it_returned() -> None:
    lists = nf.python_app(lambda x: [x])
    fails(nf.join_app(lambda: {lists(1), lists(2)})(), JoinError)


def test_a_join_whose_child_fails_and_one_whose_foreign_child_fails() -> None:
    def broken() -> None:
        raise KeyError("inside")

    child = nf.python_app(broken)
    fails(nf.join_app(lambda: [double(1), child()])(), Exception)
    foreign: concurrent.futures.Future[int] = concurrent.futures.Future()
    join = nf.join_app(lambda: [double(1), foreign])()
    foreign.set_exception(OSError("elsewhere"))
    assert join.exception(60) is not None
    assert double(1).result(60) == 2


# Futures of others


def test_a_foreign_future_that_fails_or_is_cancelled() -> None:
    failed: concurrent.futures.Future[int] = concurrent.futures.Future()
    cancelled: concurrent.futures.Future[int] = concurrent.futures.Future()
    first, second = double(failed), double([cancelled])
    failed.set_exception(OSError("elsewhere"))
    cancelled.cancel()
    cancelled.set_running_or_notify_cancel()
    fails(first, DependencyError)
    fails(second, DependencyError)
    first.task.retry()  # which cannot help
    assert isinstance(fails(first, DependencyError).root, OSError)


def test_a_callback_that_raises_hurts_nobody() -> None:
    future = double(1)
    future.add_done_callback(lambda _: 1 / 0)
    assert future.result(60) == 2
    assert double(2).result(60) == 4
