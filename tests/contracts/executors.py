"""What every executor promises, as one test class: each driver's tests subclass it."""

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil
import pytest

from nbflow.core.events import Returned, TryFailed
from nbflow.core.ids import SlotId, TaskId, TryId
from nbflow.core.states import Cause
from nbflow.errors import (
    AppExited,
    AppTimeout,
    AppTypeError,
    BashExitFailure,
    MissingOutputs,
    NotPicklable,
    RemoteError,
    TaskError,
)
from nbflow.executors.protocol import Executor, Exit, Happening, NodeUp, Printed, SlotDown, SlotUp
from nbflow.wire.functions import Portable
from nbflow.wire.messages import PYTHON, Call, Directive, Kind, Stream

PATIENCE = 20.0


class Driver:
    """Give an executor calls, and keep what it posts."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.seen: list[Happening] = []
        self._posted: SimpleQueue[Any] = SimpleQueue()
        self._tasks = 0
        self._slots: list[SlotId] | None = None

    @property
    def slots(self) -> list[SlotId]:
        """Start the executor when it is first needed: inside the test, where pytest has put its capture."""
        if self._slots is None:
            self._slots = list(self.executor.start(self._posted.put).slots)
            self.wait_until(lambda: self._slots)
        return self._slots

    def call(self, fn: Callable[..., Any], *args: Any, directive: Directive = PYTHON, **kwargs: Any) -> Call:
        self._tasks += 1
        function = Portable(fn).snapshot(encode=self.executor.is_remote)
        return Call(TaskId(self._tasks), TryId(1), function, lambda: (args, kwargs), directive)

    def send(self, *calls: Call, slot: SlotId | None = None) -> None:
        self.executor.send(slot or self.slots[0], calls)

    def run(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Returned | TryFailed:
        call = self.call(fn, *args, **options)
        self.send(call)
        return self.end_of(call)

    def end_of(self, call: Call) -> Returned | TryFailed:
        def ended() -> list[Any]:
            return [one for one in self.ends() if one.task == call.task]

        self.wait_until(ended)
        (end,) = ended()
        return end

    def ends(self) -> list[Returned | TryFailed]:
        return [one for one in self.seen if isinstance(one, Returned | TryFailed)]

    def printed(self, call: Call) -> dict[str, Printed]:
        return {one.stream: one for one in self.seen if isinstance(one, Printed) and one.task == call.task}

    def wait_until(self, is_so: Callable[[], Any]) -> None:
        while not is_so():
            self._take(self._posted.get(timeout=PATIENCE))

    def take_all(self) -> None:
        while not self._posted.empty():
            self._take(self._posted.get())

    def close(self, how: Exit = Exit.STOP) -> None:
        self.executor.close(how)
        self.take_all()

    def _take(self, happenings: list[Happening]) -> None:
        for one in happenings:
            if isinstance(one, NodeUp):
                self.slots.extend(one.slots)
            elif isinstance(one, SlotUp):
                self.slots.append(one.slot)
            elif isinstance(one, SlotDown):
                self.slots.remove(one.slot)
        self.seen.extend(happenings)


class Gate:
    """Stand among arguments, and be pickled no sooner than it is opened."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.is_open = threading.Event()

    def __reduce__(self) -> Any:
        self.is_reached.set()
        assert self.is_open.wait(PATIENCE)
        return str, ("through",)


class Life:
    """Tell, without asking again and again, when all processes that opened `path` for writing are gone."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "life")
        os.mkfifo(self.path)
        self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def wait_for_start(self) -> None:
        assert select.select([self._reader], [], [], PATIENCE)[0]
        assert os.read(self._reader, 1) == b"!"

    def is_over(self) -> bool:
        """Wait for the end; False when it does not come."""
        poll = select.poll()
        poll.register(self._reader, 0)
        return bool(poll.poll(PATIENCE * 1000))

    def close(self) -> None:
        os.close(self._reader)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    life = Life(tmp_path)
    yield life
    life.close()


class ExecutorContract:
    """Subclass this with `make`, and say what the driver cannot do."""

    def make(self) -> Executor:
        raise NotImplementedError

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        driver = Driver(self.make())
        before = set(psutil.Process().children(recursive=True))
        yield driver
        driver.close()
        left = [child for child in psutil.Process().children(recursive=True) if child not in before]
        assert psutil.wait_procs(left, timeout=PATIENCE)[1] == []

    def test_a_call_returns(self, driver: Driver) -> None:
        end = driver.run(lambda a, b: a + b, 2, b=3)
        assert isinstance(end, Returned)
        assert end.value == 5
        assert end.seconds >= 0

    def test_each_call_of_a_bundle_ends_once_and_in_order(self, driver: Driver) -> None:
        calls = [driver.call(lambda n: n, n) for n in range(100)]
        driver.send(*calls[:60])
        driver.send(*calls[60:])
        driver.wait_until(lambda: len(driver.ends()) == 100)
        assert [end.task for end in driver.ends()] == [call.task for call in calls]

    def test_an_exception_keeps_its_type_and_its_text(self, driver: Driver) -> None:
        end = driver.run(lambda: 1 // 0)
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.RAISED
        assert type(end.error) is ZeroDivisionError

    @pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
    def test_what_would_end_the_worker_fails_the_call_alone(
        self, driver: Driver, kind: type[BaseException]
    ) -> None:
        def leave() -> None:
            raise kind("enough")

        end, after = driver.run(leave), driver.run(lambda: "alive")
        assert isinstance(end, TryFailed)
        assert isinstance(end.error, AppExited)
        assert end.error.task == end.task
        assert "enough" in str(end.error)
        assert isinstance(after, Returned)

    def test_deep_recursion_and_want_of_memory_are_errors_like_others(self, driver: Driver) -> None:
        def down(n: int) -> int:
            return down(n + 1)

        def fill() -> bytearray:
            return bytearray(1 << 62)

        ends = [driver.run(down, 0), driver.run(fill)]
        assert [type(end.error) for end in ends if isinstance(end, TryFailed)] == [
            RecursionError,
            MemoryError,
        ]

    def test_arguments_that_cannot_be_put_together_fail_the_call_alone(self, driver: Driver) -> None:
        def break_down() -> Any:
            raise LookupError("no such argument")

        broken, sound = driver.call(len, ()), driver.call(len, ())
        broken.arguments = break_down
        driver.send(broken, sound)
        end = driver.end_of(broken)
        assert isinstance(end, TryFailed)
        assert "no such argument" in str(end.error)
        assert isinstance(driver.end_of(sound), Returned)

    def test_generators_become_lists_and_coroutines_are_run(self, driver: Driver) -> None:
        def generate() -> Iterator[int]:
            yield from range(3)

        async def compute() -> int:
            return 4

        async def stream() -> Any:
            yield 5

        ends = [driver.run(generate), driver.run(compute), driver.run(stream)]
        assert [end.value for end in ends if isinstance(end, Returned)] == [[0, 1, 2], 4, [5]]

    def test_what_is_lazy_or_only_a_view_becomes_a_list(self, driver: Driver) -> None:
        kinds = [
            lambda: map(abs, [-1]),
            lambda: {1: 2}.keys(),
            lambda: {2: 1}.values(),
            lambda: zip([1], [2], strict=True),
        ]
        ends = [driver.run(kind) for kind in kinds]
        assert [end.value for end in ends if isinstance(end, Returned)] == [[1], [1], [1], [(1, 2)]]

    @pytest.mark.parametrize("name", ["__getattribute__", "__setattr__", "__reduce__", "__str__", "__repr__"])
    @pytest.mark.parametrize("kind", [RuntimeError, SystemExit, KeyboardInterrupt])
    def test_an_exception_whose_own_code_raises_is_told(
        self, driver: Driver, name: str, kind: type[BaseException]
    ) -> None:
        def raise_odd() -> None:
            def leave(*_: Any) -> Any:
                raise kind

            raise type("Odd", (Exception,), {name: leave})

        end, after = driver.run(raise_odd), driver.run(lambda: "alive")
        assert isinstance(end, TryFailed)
        assert type(end.error).__name__ in ("Odd", "RemoteError")
        assert isinstance(after, Returned)

    def test_prints_belong_to_their_call(self, driver: Driver) -> None:
        def speak(word: str) -> None:
            print(word)
            print(word.upper(), file=sys.stderr)

        calls = [driver.call(speak, word) for word in ("one", "two")]
        silent = driver.call(lambda: None)
        driver.send(calls[0], silent, calls[1])
        driver.end_of(calls[1])
        assert [driver.printed(call)["stdout"].text for call in calls] == ["one\n", "two\n"]
        assert [driver.printed(call)["stderr"].text for call in calls] == ["ONE\n", "TWO\n"]
        assert driver.printed(silent) == {}
        assert driver.printed(calls[0])["stdout"].nbytes == 4

    def test_long_output_is_kept_at_both_ends(self, driver: Driver) -> None:
        def speak() -> None:
            print("first")
            for _ in range(1_000):
                print("x" * 999)
            print("last")

        call = driver.call(speak)
        driver.send(call)
        driver.end_of(call)
        printed = driver.printed(call)["stdout"]
        assert printed.nbytes == 1_000_011
        assert len(printed.text) < 70_000
        assert printed.text.startswith("first\n")
        assert printed.text.endswith("last\n")
        assert "934,475 bytes left out" in printed.text

    def test_streams_go_to_files(self, driver: Driver, tmp_path: Path) -> None:
        both = Stream(str(tmp_path / "deep" / "both.txt"))

        def speak() -> None:
            print("out")
            print("err", file=sys.stderr)

        directive = Directive(stdout=both, stderr=both)
        assert isinstance(driver.run(speak, directive=directive), Returned)
        assert sorted(Path(both.path).read_text().split()) == ["err", "out"]
        appending = Directive(stdout=Stream(both.path, "a"))
        assert isinstance(driver.run(lambda: print("more"), directive=appending), Returned)
        assert Path(both.path).read_text().endswith("more\n")
        assert [one for one in driver.seen if isinstance(one, Printed)] == []

    def test_promised_outputs_have_to_be_there(self, driver: Driver, tmp_path: Path) -> None:
        there, missing = str(tmp_path / "new" / "there"), str(tmp_path / "missing")
        directive = Directive(outputs=(there, missing), label="write")
        end = driver.run(lambda: Path(there).write_text("x"), directive=directive)
        assert isinstance(end, TryFailed)
        assert isinstance(end.error, MissingOutputs)
        assert end.error.paths == (missing,)
        assert end.error.task == end.task

    def test_bash_runs_a_command(self, driver: Driver, tmp_path: Path) -> None:
        out = str(tmp_path / "out")
        directive = Directive(kind=Kind.BASH, stdout=Stream(out))
        end = driver.run(lambda name: f"echo hello {name}", "you", directive=directive)
        assert isinstance(end, Returned)
        assert end.value == 0
        assert Path(out).read_text() == "hello you\n"

    def test_bash_output_is_captured_and_its_exit_code_told(self, driver: Driver) -> None:
        directive = Directive(kind=Kind.BASH, label="align")
        call = driver.call(lambda: "echo out; echo why >&2; exit 3", directive=directive)
        driver.send(call)
        end = driver.end_of(call)
        assert isinstance(end, TryFailed)
        assert isinstance(end.error, BashExitFailure)
        assert end.error.exit_code == 3
        assert end.error.task == call.task
        assert "align" in str(end.error)
        assert "why" in str(end.error)
        assert driver.printed(call)["stdout"].text == "out\n"

    def test_bash_is_strict_on_demand(self, driver: Driver) -> None:
        for line in ("false | true", "false; true", "echo $NOT_SET_ANYWHERE"):
            lenient, strict = Directive(kind=Kind.BASH), Directive(kind=Kind.BASH, is_strict=True)
            assert isinstance(driver.run(lambda line: line, line, directive=lenient), Returned)
            assert isinstance(driver.run(lambda line: line, line, directive=strict), TryFailed)

    def test_bash_needs_a_command_line_that_the_system_takes(self, driver: Driver) -> None:
        for line in (7, None, b"true", "echo \0", f"echo {'x' * 200_000}"):
            end = driver.run(lambda line: line, line, directive=Directive(kind=Kind.BASH))
            assert isinstance(end, TryFailed)
            assert isinstance(end.error, AppTypeError)

    def test_bash_takes_quotes_newlines_and_any_character(self, driver: Driver, tmp_path: Path) -> None:
        directive = Directive(kind=Kind.BASH, stdout=Stream(str(tmp_path / "out.txt")))
        driver.run(lambda: 'echo "it\'s" \'"so"\'\necho ü €', directive=directive)
        assert (tmp_path / "out.txt").read_text(encoding="utf-8") == 'it\'s "so"\nü €\n'

    def test_bash_is_stopped_at_its_walltime_with_what_it_started(self, driver: Driver, life: Life) -> None:
        directive = Directive(kind=Kind.BASH, walltime=0.2)
        end = driver.run(lambda path: f"sleep 60 > {path} & wait", life.path, directive=directive)
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.TIMEOUT
        assert isinstance(end.error, AppTimeout)
        assert end.error.task == end.task
        assert life.is_over()

    def test_bash_leaves_nothing_of_its_group_behind(self, driver: Driver, life: Life) -> None:
        line = f"sleep 60 > {life.path} & sleep 0.02"
        end = driver.run(lambda: line, directive=Directive(kind=Kind.BASH))
        assert isinstance(end, Returned)
        assert life.is_over()

    def test_a_walltime_ends_the_waiting(self, driver: Driver) -> None:
        call = driver.call(time.sleep, 0.5, directive=Directive(walltime=0.1, label="nap"))
        driver.send(call)
        end = driver.end_of(call)
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.TIMEOUT
        assert isinstance(end.error, AppTimeout)
        assert end.error.task == end.task
        assert "nap" in str(end.error)
        assert "0.1 s" in str(end.error)

    def test_a_walltime_that_is_kept_changes_nothing(self, driver: Driver) -> None:
        end = driver.run(lambda: 1, directive=Directive(walltime=60.0))
        assert isinstance(end, Returned)

    def test_a_dropped_try_is_not_reported(self, driver: Driver) -> None:
        dropped = driver.call(time.sleep, 0.3)
        driver.send(dropped)
        driver.executor.drop([(dropped.task, dropped.try_id), (TaskId(999), TryId(1))])
        after = driver.call(lambda: "after")
        driver.send(after)
        end = driver.end_of(after)
        if isinstance(end, TryFailed):  # it came too late for the slot that was taken down
            assert end.cause is Cause.RECALLED
        driver.close(Exit.FINISH)
        assert [end.task for end in driver.ends()] == [after.task]

    def test_what_has_not_started_is_given_back(self, driver: Driver) -> None:
        first, second = driver.call(time.sleep, 0.3), driver.call(lambda: 2)
        driver.send(first)
        driver.send(second)
        driver.executor.recall([(second.task, second.try_id)])
        driver.wait_until(lambda: len(driver.ends()) == 2)
        ends = {end.task: end for end in driver.ends()}
        assert isinstance(ends[first.task], Returned)
        assert isinstance(ends[second.task], Returned | TryFailed)
        if isinstance(given_back := ends[second.task], TryFailed):
            assert given_back.cause is Cause.RECALLED
            assert driver.ends()[0] is given_back

    def test_close_lets_calls_finish(self, driver: Driver) -> None:
        calls = [driver.call(time.sleep, 0.02) for _ in range(3)]
        driver.send(*calls)
        driver.close(Exit.FINISH)
        assert [type(end) for end in driver.ends()] == [Returned] * 3

    def test_close_stops_calls_and_answers_for_each(self, driver: Driver) -> None:
        calls = [driver.call(time.sleep, 0.4) for _ in range(3)]
        driver.send(*calls)
        driver.close(Exit.STOP)
        assert sorted(end.task for end in driver.ends()) == [call.task for call in calls]
        assert all(isinstance(end, TryFailed) for end in driver.ends())

    def test_close_twice_is_fine_and_a_later_call_is_answered(self, driver: Driver) -> None:
        late = driver.call(lambda: 1)
        slot = driver.slots[0]
        driver.close(Exit.FINISH)
        driver.close(Exit.STOP)
        driver.send(late, slot=slot)
        end = driver.end_of(late)
        assert isinstance(end, TryFailed)
        assert isinstance(end.error, TaskError)

    def test_another_executor_can_work_beside_it(self, driver: Driver) -> None:
        other = Driver(self.make())
        try:
            assert isinstance(other.run(lambda: print("other")), Returned)
            assert isinstance(driver.run(lambda: print("this")), Returned)
        finally:
            other.close()
        assert isinstance(driver.run(lambda: 1), Returned)


class RemoteExecutorContract(ExecutorContract):
    """Is for executors whose calls leave this process."""

    def test_B4_an_argument_that_cannot_travel_is_named(self, driver: Driver) -> None:
        import threading

        stuck = driver.call(len, {"model": [threading.Lock()]})
        sound = driver.call(len, [])
        driver.send(stuck, sound)
        end = driver.end_of(stuck)
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.RAISED
        assert isinstance(end.error, NotPicklable)
        assert end.error.task == stuck.task
        assert "['model'][0]" in end.error.path
        assert isinstance(driver.end_of(sound), Returned)

    def test_B4_a_result_that_cannot_travel_is_named(self, driver: Driver) -> None:
        import threading

        end = driver.run(lambda: [threading.Lock()])
        assert isinstance(end, TryFailed)
        assert isinstance(end.error, NotPicklable)
        assert end.error.task == end.task

    def test_B4_an_exception_that_cannot_be_unpickled_tells_what_it_said(self, driver: Driver) -> None:
        class Awkward(Exception):
            def __init__(self, one: int, *, two: int) -> None:
                super().__init__(f"{one} and {two}")

        def fail() -> None:
            raise Awkward(1, two=2)

        end = driver.run(fail)
        assert isinstance(end, TryFailed)
        assert isinstance(end.error, RemoteError)
        assert "1 and 2" in str(end.error)
        assert end.error.task == end.task

    def test_large_arrays_come_and_go(self, driver: Driver) -> None:
        numpy = pytest.importorskip("numpy")
        end = driver.run(lambda array: array + 1, numpy.zeros(300_000))
        assert isinstance(end, Returned)
        assert end.value.sum() == 300_000
