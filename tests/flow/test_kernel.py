import threading
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import ConfigError, DependencyError, InvalidResources, JoinError, NbflowError, NotLoaded
from nbflow.executors.protocol import Exit
from nbflow.flow.kernel import DataFlowKernel

pytestmark = pytest.mark.usefixtures("kernel")


@nf.python_app
def add(*parts: int) -> int:
    return sum(parts)


def test_a_diamond_of_dependencies() -> None:
    top = add(1)
    left, right = add(top, 1), add(top, 2)
    assert add(left, right).result(10) == 5


def test_a_failure_reaches_what_depends_on_it_and_nothing_else() -> None:
    @nf.python_app
    def fail() -> int:
        raise ZeroDivisionError("no")

    bad, good = fail(), add(1)
    child, grandchild = add(bad, good), add(add(bad), 1)
    with pytest.raises(ZeroDivisionError) as caught:
        bad.result(10)
    (attempt,) = bad.task.attempts
    assert "in fail" in (attempt.detail.traceback or "")
    for future in (child, grandchild):
        with pytest.raises(DependencyError, match=f"task {bad.task.id} failed") as echo:
            future.result(10)
        assert echo.value.root is caught.value
        assert echo.value.root_task == bad.task.id
    assert good.result(10) == 1


def test_the_failure_of_a_command_is_told_by_its_exit_code_to_what_depends_on_it() -> None:
    failing = nf.bash_app(lambda: "echo first >&2; echo second >&2; exit 3")()
    with pytest.raises(DependencyError, match=r"exit code 3: echo first .* exit 3, so task") as echo:
        add(failing).result(10)
    assert "\n" not in str(echo.value)


def test_retry_runs_only_the_failed_branch_with_the_new_definition() -> None:
    runs: list[str] = []

    def define(result: str) -> Any:
        namespace: dict[str, Any] = {"nf": nf, "runs": runs, "__name__": "__main__"}
        source = f"def middle(x):\n    runs.append('middle')\n    return {result}\n"
        exec(source, namespace)
        return nf.python_app(namespace["middle"])

    @nf.python_app
    def first() -> int:
        runs.append("first")
        return 0

    middle = define("1 / x")
    start = first()
    future = middle(start)
    last = add(future, 1)
    with pytest.raises(DependencyError):
        last.result(10)
    define("x + 41")
    assert nf.retry(failed=True) == 2
    assert last.result(10) == 42
    assert future.result(10) == 41
    assert runs == ["first", "middle", "middle"]
    assert start.task.state == "done"


def test_retry_with_other_arguments_or_function() -> None:
    @nf.python_app
    def invert(x: float) -> float:
        return 1 / x

    future = invert(0)
    with pytest.raises(ZeroDivisionError):
        future.result(10)
    future.task.retry(args=(add(4),))
    assert future.result(10) == 0.25
    with pytest.raises(NbflowError, match="only failed"):
        future.task.retry()
    other = invert(0)
    other.exception(10)
    other.task.retry(lambda x: x + 7)
    assert other.result(10) == 7


def test_retry_chooses_by_error_and_app() -> None:
    @nf.python_app
    def pick(kind: str) -> None:
        raise {"key": KeyError, "zero": ZeroDivisionError}[kind]("x")

    futures = [pick("key"), pick("zero"), pick("zero")]
    for future in futures:
        assert future.exception(10) is not None
    assert nf.retry(error=ZeroDivisionError) == 2
    with pytest.raises(NbflowError, match="no app is called 'nobody'"):
        nf.retry(app="nobody")
    with pytest.raises(NbflowError, match="retry what"):
        nf.retry()


def test_retries_with_count_and_handler() -> None:
    tries: list[int] = []

    @nf.python_app(retries=2)
    def third_time() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return "lucky"

    future = third_time()
    assert future.result(10) == "lucky"
    assert [attempt.end for attempt in future.task.attempts] == ["TryFailed", "TryFailed", "Returned"]
    asked: list[str] = []

    def judge(error: BaseException, task: Any) -> nf.Decision:
        asked.append(task.name)
        return nf.Decision.RETRY if len(asked) < 3 else nf.Decision.FAIL

    @nf.python_app(retries=nf.RetryPolicy(handler=judge))
    def never() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        never().result(10)
    assert asked == ["never"] * 3


def test_join_apps_return_any_arrangement_at_any_depth() -> None:
    @nf.join_app
    def inner(n: int) -> Any:
        return [add(i, 1) for i in range(n)]

    @nf.join_app
    def outer(n: int) -> Any:
        return {"inner": inner(n), "one": add(n), "plain": "x"}

    @nf.join_app
    def nothing() -> None:
        return None

    @nf.join_app
    def fib(n: int) -> Any:
        return add(fib(n - 1), fib(n - 2)) if n > 1 else add(n)

    assert outer(3).result(10) == {"inner": [1, 2, 3], "one": 3, "plain": "x"}
    assert nothing().result(10) is None
    assert fib(8).result(20) == 21


def test_join_app_that_waits_inside_does_not_block_the_others() -> None:
    @nf.join_app
    def nested(depth: int) -> Any:
        return add(nested(depth - 1).result(10), 1) if depth else add(0)

    assert nested(8).result(20) == 8


def test_a_failed_child_fails_the_join_and_its_retry_mends_it() -> None:
    broken = threading.Event()
    broken.set()

    @nf.python_app
    def child(n: int) -> int:
        if n == 1 and broken.is_set():
            raise ValueError("child")
        return n

    bodies: list[int] = []

    @nf.join_app
    def parent() -> Any:
        bodies.append(1)
        return child.map(range(3))

    future = parent()
    with pytest.raises(JoinError, match="ValueError"):
        future.result(10)
    broken.clear()
    assert nf.retry(failed=True) == 2
    assert future.result(10) == [0, 1, 2]
    assert len(bodies) == 1


def test_a_cycle_through_a_join_is_refused() -> None:
    held: list[Any] = []
    ready = threading.Event()

    @nf.join_app
    def loop() -> Any:
        ready.wait(10)
        return add(held[0])

    held.append(loop())
    ready.set()
    with pytest.raises(JoinError, match="never ends"):
        held[0].result(10)


def test_bad_requests_are_refused_at_the_call(kernel: DataFlowKernel) -> None:
    with pytest.raises(ConfigError, match="no executor is called 'nowhere'; this kernel has 'threads'"):
        add.options(executors="nowhere")(1)
    with pytest.raises(InvalidResources, match="cores=999"):
        add.options(cores=999)(1)
    nf.clear()
    with pytest.raises(NotLoaded, match=r"nbflow\.load\(\)"):
        add(1)
    assert not kernel.is_open


def test_clear_leaves_no_future_unresolved() -> None:
    event = threading.Event()

    @nf.python_app
    def block() -> None:
        event.wait(10)

    futures = [block() for _ in range(4)]
    waiting = add(futures[0])  # type: ignore[arg-type]
    nf.clear()
    event.set()
    assert all(future.done() for future in [*futures, waiting])
    assert not [
        thread for thread in threading.enumerate() if thread.name in ("nbflow-flow", "nbflow-journal")
    ]


def test_tasks_and_events_are_read_from_the_journal() -> None:
    add.options(label="first")(1, 2).result(10)
    table = nf.tasks()
    assert [(row.app, row.state.name, row.call, row.label) for row in table] == [
        ("add", "DONE", "add(1, 2)", "first")
    ]
    events = nf.events()
    assert [next(events).event for _ in range(3)] == ["Submitted", "Dispatched", "Returned"]


def test_gather_keeps_the_arrangement() -> None:
    assert nf.gather({"a": add(1), "b": [add(2), 3]}) == {"a": 1, "b": [2, 3]}
    assert nf.gather(add(1), add(2)) == [1, 2]
    bad = add("x")  # type: ignore[arg-type]
    outcomes = nf.gather([add(1), bad], return_exceptions=True)
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], TypeError)
    with pytest.raises(TypeError):
        nf.gather(bad, timeout=10)


def test_a_users_own_exception_says_which_task_it_is_from() -> None:
    @nf.python_app
    def broken() -> None:
        raise KeyError("lost")

    error = broken().exception(10)
    assert isinstance(error, KeyError)
    assert error.__notes__[-1].startswith("nbflow: task 1, broken, try 1.")


def test_tasks_in_threads_may_wait_for_others_without_running_out_of_threads() -> None:
    @nf.python_app
    def nested(depth: int) -> int:
        return nested(depth - 1).result(10) + 1 if depth else 0

    assert nested(6).result(20) == 6


def test_functions_that_share_a_name_are_no_newer_definitions_of_each_other(tmp_path: Path) -> None:
    mended = tmp_path / "mended"

    def make(number: int) -> Any:
        @nf.python_app
        def inner() -> int:
            if not mended.exists():
                raise LookupError
            return number

        return inner

    invert = nf.python_app(lambda x: 1 / x)
    futures = [*(make(number)() for number in range(3)), invert(0)]
    for future in futures:
        future.exception(10)
    nf.python_app(lambda x: "the last lambda")
    mended.touch()
    assert nf.retry(failed=True) == 4
    assert nf.gather(futures[:3]) == [0, 1, 2]
    assert isinstance(futures[3].exception(10), ZeroDivisionError)


def test_a_retry_with_other_arguments_keeps_the_futures_among_the_rest() -> None:
    @nf.python_app
    def divide(x: float, y: Any) -> float:
        return y / x  # type: ignore[no-any-return]

    future = divide(0, y=add(8))
    future.exception(10)
    future.task.retry(args=(2,))
    assert future.result(10) == 4


def test_a_retry_takes_an_app_for_its_function() -> None:
    future = nf.python_app(lambda: 1 / 0)()
    future.exception(10)
    future.task.retry(nf.python_app(lambda: 5))
    assert future.result(10) == 5


def test_a_retry_handler_that_exits_fails_the_task() -> None:
    def leave(error: BaseException, task: Any) -> float:
        raise SystemExit

    future = nf.python_app(lambda: 1 / 0, retries=nf.RetryPolicy(count=9, handler=leave))()
    assert isinstance(future.exception(10), ZeroDivisionError)


def test_what_is_asked_of_a_closed_kernel_is_refused(kernel: DataFlowKernel) -> None:
    good, bad = nf.python_app(lambda: [1, 2])(), nf.python_app(lambda: 1 / 0)()
    assert good[0].result(10) == 1
    bad.exception(10)
    nf.clear()
    with pytest.raises(NotLoaded):
        good[1]
    with pytest.raises(NotLoaded):
        bad.task.retry()
    assert bad.done()
    assert good.task.logs() == ""


def test_a_call_that_comes_while_the_kernel_closes_is_cancelled(kernel: DataFlowKernel) -> None:
    app = nf.python_app(abs)
    app(1).result(10)
    prepare = kernel._prepare

    def late(*args: Any) -> Any:
        prepared = prepare(*args)
        nf.clear()
        return prepared

    kernel._prepare = late  # type: ignore[method-assign]
    assert app(2).cancelled()


def test_a_former_kernels_future_cancels_nothing_of_the_present_one() -> None:
    old = nf.python_app(abs)(-1)
    assert old.result(10) == 1
    nf.clear()
    nf.load("threads", workers=1)
    go = Event()
    new = nf.python_app(go.wait)(10)
    assert new.task.id == old.task.id
    assert nf.cancel(old) == 0
    go.set()
    assert new.result(10)


def test_cancelled_tasks_are_counted_once(kernel: DataFlowKernel) -> None:
    go = Event()
    blocked = nf.python_app(go.wait).map([10, 10, 10])
    assert nf.cancel(blocked, blocked) == 3
    assert nf.cancel(blocked) == 0
    go.set()


def test_a_driver_that_fails_to_close_leaves_nothing_else_open(kernel: DataFlowKernel) -> None:
    def fail(how: Any) -> None:
        raise OSError("no such queue")

    executor = kernel._executors[0]
    close, executor.close = executor.close, fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no such queue"):
        nf.clear()
    close(Exit.STOP)
    assert not kernel._loop._thread.is_alive()
    assert not kernel.journal._thread.is_alive()


def test_the_paths_of_output_files_are_known_after_the_end(tmp_path: Path) -> None:
    future = nf.bash_app(lambda: "echo hello")(stdout=str(tmp_path / "said"))
    assert future.result(10) == 0
    assert future.stdout == str(tmp_path / "said")
    assert future.stderr is None
    assert future.task.inputs == {}


def test_a_retry_uses_the_options_of_the_newest_definition() -> None:
    event = threading.Event()

    def define(walltime: float) -> Any:
        def slow() -> str:
            return "in time" if event.wait(0.5) else "late"

        slow.__qualname__ = "slow"
        return nf.python_app(walltime=walltime)(slow)

    future = define(0.1)()
    with pytest.raises(nf.errors.AppTimeout, match="slow"):
        future.result(10)
    define(30)
    nf.retry(failed=True)
    event.set()
    assert future.result(10) == "in time"


class TestJoinsWhoseBodiesGoOn:
    """A thread cannot be stopped: what it starts once nobody waits for its join is cancelled."""

    @pytest.fixture(autouse=True)
    def make(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.started: list[Any] = []

        @nf.join_app
        def slow(*, fails: bool = False) -> Any:
            if fails:
                raise ValueError
            self.begun.set()
            self.go_on.wait(10)
            self.started.append(add(1))
            return self.started

        self.slow = slow

    def end(self) -> None:
        self.go_on.set()
        while not self.started:
            threading.Event().wait(0.005)
        with pytest.raises(CancelledError):
            self.started[0].result(10)

    def test_cancelled(self) -> None:
        future = self.slow()
        assert self.begun.wait(10)
        assert future.cancel()
        self.end()

    def test_undone(self) -> None:
        future = self.slow(fails=True)
        nf.wait([future])
        future.task.retry(kwargs={})
        assert self.begun.wait(10)
        nf.undo()
        self.end()
        assert isinstance(future.exception(10), ValueError)

    def test_undone_and_running_again(self) -> None:
        future = self.slow(fails=True)
        nf.wait([future])
        future.task.retry(kwargs={})
        assert self.begun.wait(10)
        nf.undo()
        again = threading.Event()
        future.task.retry(fn=lambda fails: add(2) if again.wait(10) else None)
        self.end()
        again.set()
        assert future.result(10) == 2

    def test_out_of_time(self) -> None:
        future = self.slow.options(walltime=0.05)()
        assert isinstance(future.exception(10), nf.errors.AppTimeout)
        self.end()
