"""Worker processes in which several calls run at a time, in threads."""

import os
import time
from pathlib import Path

import pytest

from nbflow.core.events import Returned, TryFailed
from nbflow.core.states import Cause
from nbflow.core.task import Grant
from nbflow.executors.processes import ProcessesExecutor
from nbflow.wire.messages import Call, Directive, Kind
from tests.contracts.executors import Driver, Life, RemoteExecutorContract, life

__all__ = ["life"]

THREADS = 3


def meet(where: str, number: int) -> int:
    """Wait until all have come, which they can only if they run at a time; return the process."""
    Path(where, str(number)).touch()
    end = time.monotonic() + 20
    while len(list(Path(where).iterdir())) < THREADS:
        assert time.monotonic() < end
        time.sleep(0.005)
    return os.getpid()


def await_file(path: str) -> str:
    end = time.monotonic() + 20
    while not Path(path).exists():
        assert time.monotonic() < end
        time.sleep(0.005)
    return Path(path).read_text()


class TestThreadsOfAWorker(RemoteExecutorContract):
    def make(self) -> ProcessesExecutor:
        return ProcessesExecutor("processes", workers=1, threads_per_worker=THREADS)

    def start(self, driver: Driver, *calls: Call) -> None:
        for slot, call in zip(driver.slots, calls, strict=False):
            driver.send(call, slot=slot)

    def test_calls_run_at_a_time_in_one_process(self, driver: Driver, tmp_path: Path) -> None:
        calls = [driver.call(meet, str(tmp_path), number) for number in range(THREADS)]
        self.start(driver, *calls)
        ends = [driver.end_of(call) for call in calls]
        assert len({end.value for end in ends if isinstance(end, Returned)}) == 1

    def test_each_call_keeps_what_it_prints(self, driver: Driver, tmp_path: Path) -> None:
        def say(where: str, number: int) -> None:
            print("before", number)
            meet(where, number)
            print("after", number)

        calls = [driver.call(say, str(tmp_path), number) for number in range(THREADS)]
        self.start(driver, *calls)
        for number, call in enumerate(calls):
            driver.end_of(call)
            assert driver.printed(call)["stdout"].text == f"before {number}\nafter {number}\n"

    def test_F1_the_loss_of_the_process_is_the_loss_of_all_and_blames_nobody(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        def die(where: str) -> None:
            meet(where, 0)
            os._exit(3)

        def wait(where: str, number: int) -> None:
            meet(where, number)
            time.sleep(30)

        calls = [driver.call(die, str(tmp_path)), *(driver.call(wait, str(tmp_path), n) for n in (1, 2))]
        self.start(driver, *calls)
        ends = [driver.end_of(call) for call in calls]
        for end in ends:
            assert isinstance(end, TryFailed)
            assert end.cause is Cause.LOST
            assert not end.alone
        assert "exit code 3" in str(ends[0].error)  # type: ignore[union-attr]
        driver.wait_until(lambda: len(driver.slots) == THREADS)
        assert isinstance(driver.run(lambda: 1), Returned)

    def test_F1_a_call_that_must_be_alone_has_a_process_of_its_own(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        other = driver.call(await_file, str(tmp_path / "go"))
        suspect = driver.call(os._exit, 3)
        suspect.grant = Grant(is_alone=True)
        self.start(driver, other, suspect)
        end = driver.end_of(suspect)
        assert isinstance(end, TryFailed)
        assert end.alone
        (tmp_path / "go").write_text("gone on")
        end = driver.end_of(other)
        assert isinstance(end, Returned)
        assert end.value == "gone on"

    def test_what_was_granted_to_a_call_is_seen_by_no_other(self, driver: Driver, tmp_path: Path) -> None:
        def gpus(where: str, number: int) -> tuple[str | None, int]:
            meet(where, number)
            return os.environ.get("CUDA_VISIBLE_DEVICES"), os.getpid()

        calls = [driver.call(gpus, str(tmp_path), number) for number in range(THREADS)]
        calls[0].grant, calls[1].grant = Grant(gpus=(0,)), Grant(gpus=(1,))
        self.start(driver, *calls)
        ends = [driver.end_of(call) for call in calls]
        seen = [end.value for end in ends if isinstance(end, Returned)]
        assert [devices for devices, _ in seen][:2] == ["0", "1"]
        assert len({process for _, process in seen}) == 3
        after = driver.run(lambda: os.environ.get("CUDA_VISIBLE_DEVICES"))
        assert isinstance(after, Returned)
        assert after.value == os.environ.get("CUDA_VISIBLE_DEVICES")

    @pytest.mark.parametrize("how", ["walltime", "drop"])
    def test_a_call_that_is_over_leaves_its_siblings_alone(
        self, driver: Driver, tmp_path: Path, life: Life, how: str
    ) -> None:
        def hang(path: str) -> None:
            file = os.open(path, os.O_WRONLY)
            os.write(file, b"!")
            time.sleep(60)

        sibling = driver.call(await_file, str(tmp_path / "go"))
        directive = Directive(walltime=0.2 if how == "walltime" else None)
        hung = driver.call(hang, life.path, directive=directive)
        self.start(driver, sibling, hung)
        life.wait_for_start()
        if how == "drop":
            driver.executor.drop([(hung.task, hung.try_id)])
        else:
            end = driver.end_of(hung)
            assert isinstance(end, TryFailed)
            assert end.cause is Cause.TIMEOUT
        driver.wait_until(lambda: len(driver.slots) == THREADS and f"{THREADS + 1}" in driver.slots[-1])
        driver.send(after := driver.call(lambda: 1), slot=driver.slots[-1])
        assert isinstance(driver.end_of(after), Returned)
        (tmp_path / "go").write_text("unharmed")
        end = driver.end_of(sibling)
        assert isinstance(end, Returned)
        assert end.value == "unharmed"
        assert life.is_over()  # the process was replaced as soon as nothing else ran in it

    def test_as_many_calls_that_are_over_as_threads_end_the_process(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        sibling = driver.call(time.sleep, 60)
        self.start(driver, sibling)
        for _ in range(THREADS):
            hung = driver.call(time.sleep, 60, directive=Directive(walltime=0.05))
            driver.send(hung, slot=driver.slots[-1])
            end = driver.end_of(hung)
            assert isinstance(end, TryFailed)
            assert end.cause is Cause.TIMEOUT
        end = driver.end_of(sibling)
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.RECALLED

    def test_the_command_of_a_dropped_bash_app_is_stopped(
        self, driver: Driver, tmp_path: Path, life: Life
    ) -> None:
        line = f"exec > {life.path}; echo -n !; sleep 60"
        sibling = driver.call(await_file, str(tmp_path / "go"))
        command = driver.call(lambda: line, directive=Directive(kind=Kind.BASH))
        self.start(driver, sibling, command)
        life.wait_for_start()
        driver.executor.drop([(command.task, command.try_id)])
        assert life.is_over()
        (tmp_path / "go").write_text("unharmed")
        assert isinstance(driver.end_of(sibling), Returned)
