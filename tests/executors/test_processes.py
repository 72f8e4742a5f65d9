import ctypes
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nbflow.core.events import Returned, TryFailed
from nbflow.core.states import Cause
from nbflow.errors import ConfigError, WorkerLost
from nbflow.executors.processes import ProcessesExecutor
from nbflow.executors.protocol import Exit
from nbflow.wire.messages import Directive
from tests.contracts.executors import PATIENCE, Driver, Gate, Life, RemoteExecutorContract, life

__all__ = ["life"]


class TestProcessesExecutor(RemoteExecutorContract):
    def make(self) -> ProcessesExecutor:
        return ProcessesExecutor("processes", workers=1)

    @pytest.mark.parametrize(
        ("die", "reason"),
        [
            (lambda: os._exit(3), "exit code 3"),
            (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
            (lambda: ctypes.string_at(0), "killed by SIGSEGV"),
        ],
    )
    def test_F1_a_death_is_told_with_its_cause_and_the_worker_replaced(
        self, driver: Driver, die: object, reason: str
    ) -> None:
        (slot,) = driver.slots
        end = driver.run(die)  # type: ignore[arg-type]
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.LOST
        assert end.alone
        assert isinstance(end.error, WorkerLost)
        assert end.error.reason == reason
        assert end.error.task == end.task
        driver.wait_until(lambda: driver.slots not in ([], [slot]))
        assert isinstance(driver.run(lambda: 1), Returned)

    def test_a_crash_says_where_it_was(self, driver: Driver) -> None:
        end = driver.run(lambda: ctypes.string_at(0))
        assert isinstance(end, TryFailed)
        assert "Segmentation fault" in str(end.error)
        assert "string_at" in str(end.error)

    def test_F1_calls_that_shared_a_worker_are_lost_but_not_blamed(self, driver: Driver) -> None:
        calls = [driver.call(lambda: 1), driver.call(os._exit, 1), driver.call(lambda: 2)]
        driver.send(*calls)
        driver.wait_until(lambda: len(driver.ends()) == 3)
        lost = [end for end in driver.ends() if isinstance(end, TryFailed)]
        assert calls[1].task in [end.task for end in lost]
        assert not any(end.alone for end in lost)

    def test_children_that_a_call_forks_fall_out_of_it_harmlessly(self, driver: Driver) -> None:
        def fork() -> int:
            child = os.fork()
            if child == 0:
                return 0
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        end = driver.run(fork)
        assert isinstance(end, Returned)
        assert end.value == 0
        assert isinstance(driver.run(lambda: 1), Returned)

    def test_what_a_call_leaves_running_ends_with_its_worker(self, driver: Driver, life: Life) -> None:
        def leave(path: str) -> None:
            subprocess.Popen(["setsid", "sh", "-c", f"exec > {path}; echo !; exec sleep 60"])

        assert isinstance(driver.run(leave, life.path), Returned)
        life.wait_for_start()
        assert isinstance(driver.run(os._exit, 1), TryFailed)
        assert life.is_over()

    def test_a_walltime_stops_c_code_that_listens_to_no_signal(self, driver: Driver) -> None:
        def spin() -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            ctypes.PyDLL(None).sleep(60)  # holds the interpreter's lock

        end = driver.run(spin, directive=Directive(walltime=0.1))
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.TIMEOUT
        assert "process" in str(end.error)

    def test_a_dropped_call_is_stopped_in_c_code_too(self, driver: Driver, life: Life) -> None:
        def hang(path: str) -> None:
            file = os.open(path, os.O_WRONLY)
            os.write(file, b"!")
            ctypes.PyDLL(None).sleep(60)

        (slot,) = driver.slots
        dropped, waiting = driver.call(hang, life.path), driver.call(lambda: 2)
        driver.send(dropped)
        driver.send(waiting)
        life.wait_for_start()
        driver.executor.drop([(dropped.task, dropped.try_id)])
        driver.wait_until(lambda: driver.slots not in ([], [slot]))
        end = driver.end_of(waiting)
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.RECALLED
        assert [end.task for end in driver.ends()] == [waiting.task]
        assert life.is_over()

    def test_a_dropped_call_that_waits_harms_nobody(self, driver: Driver) -> None:
        calls = [driver.call(time.sleep, 0.1), driver.call(lambda: 2), driver.call(lambda: 3)]
        driver.send(*calls)
        driver.executor.drop([(calls[1].task, calls[1].try_id)])
        driver.end_of(calls[2])
        assert [type(end) for end in driver.ends()] == [Returned, Returned]

    def test_results_do_not_wait_behind_a_long_call(self, driver: Driver) -> None:
        short, long = driver.call(lambda: 1), driver.call(time.sleep, 60)
        driver.send(short, long)
        assert isinstance(driver.end_of(short), Returned)

    def test_a_result_is_what_it_was_when_its_call_ended(self, driver: Driver) -> None:
        seen: list[int] = []

        def grow() -> list[int]:
            seen.append(1)
            return seen

        function = driver.call(grow)
        calls = [driver.call(grow) for _ in range(3)]
        for call in calls:
            call.function = function.function
        driver.send(*calls)
        driver.wait_until(lambda: len(driver.ends()) == 3)
        assert [len(end.value) for end in driver.ends() if isinstance(end, Returned)] == [1, 2, 3]

    def test_a_large_result_does_not_change_with_the_next_call(self, driver: Driver) -> None:
        shared = np.zeros(100_000)

        def fill(number: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
            shared[:] = number
            return shared

        function = driver.call(fill, 0)
        calls = [driver.call(fill, number) for number in range(3)]
        for call in calls:
            call.function = function.function
        driver.send(*calls)
        driver.wait_until(lambda: len(driver.ends()) == 3)
        assert [end.value.mean() for end in driver.ends() if isinstance(end, Returned)] == [0, 1, 2]

    def test_closed_standard_streams_are_mended(self, driver: Driver) -> None:
        def close_all() -> None:
            sys.stdin.close()
            sys.stdout.close()
            os.close(2)

        driver.run(close_all)
        call = driver.call(lambda: print("still here"))
        driver.send(call)
        assert isinstance(driver.end_of(call), Returned)
        assert driver.printed(call)["stdout"].text == "still here\n"

    def test_what_children_write_is_captured(self, driver: Driver) -> None:
        call = driver.call(lambda: os.system("echo from a shell"))
        driver.send(call)
        driver.end_of(call)
        assert driver.printed(call)["stdout"].text == "from a shell\n"

    def test_an_interrupt_does_not_reach_a_worker(self, driver: Driver) -> None:
        end = driver.run(lambda: os.kill(os.getpid(), signal.SIGINT))
        assert isinstance(end, Returned)

    def test_calls_run_where_the_user_is(
        self, driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "freshly_written.py").write_text("answer = 42")

        def look() -> tuple[str, int]:
            import freshly_written  # type: ignore[import-not-found]

            return str(Path.cwd()), freshly_written.answer

        driver.run(lambda: os.chdir("/"))
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        end = driver.run(look)
        assert isinstance(end, Returned)
        assert end.value == (str(tmp_path), 42)

    @pytest.mark.parametrize("how", ["reload", "import again"])
    def test_modules_that_were_loaded_anew_here_are_loaded_anew_there(
        self, driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a fresh file may have the time of the old one
        monkeypatch.syspath_prepend(str(tmp_path))
        name = f"edited_{how.replace(' ', '_')}"
        file = tmp_path / f"{name}.py"
        file.write_text("def answer(): return 'before'")
        module = importlib.import_module(name)
        call = driver.call(module.answer)
        driver.send(call)
        end = driver.end_of(call)
        assert isinstance(end, Returned)
        assert end.value == "before"
        file.write_text("def answer(): return 'after the edit'")
        if how == "reload":
            importlib.reload(module)
        else:
            del sys.modules[name]
            module = importlib.import_module(name)
        end = driver.run(module.answer)
        assert isinstance(end, Returned)
        assert end.value == "after the edit"

    def test_workers_that_cannot_start_fail_calls_with_what_they_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nbflow.worker.vacancy.START_DELAY_SECONDS", 0.001)
        monkeypatch.setattr("nbflow.worker.child.BOOT", "raise SystemExit('no module named nbflow')")
        driver = Driver(self.make())
        end = driver.run(lambda: 1)
        assert isinstance(end, TryFailed)
        assert isinstance(end.error, WorkerLost)
        assert "no module named nbflow" in str(end.error)
        driver.close()

    def test_workers_that_could_not_start_are_started_once_that_is_mended(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        driver = Driver(ProcessesExecutor("processes", workers=2))
        with monkeypatch.context() as broken:
            broken.setattr("nbflow.worker.vacancy.START_DELAY_SECONDS", 0.001)
            broken.setattr("nbflow.worker.crew.REST_SECONDS", 0.0)
            broken.setattr("nbflow.worker.child.BOOT", "raise SystemExit('no module named nbflow')")
            # While another place is still tried, a call is given back; then the last one refuses it.
            end = driver.run(lambda: 1)
            while isinstance(end, TryFailed) and end.cause is Cause.RECALLED:
                end = driver.run(lambda: 1)
            assert isinstance(end, TryFailed)
            assert end.cause is Cause.LOST
        assert isinstance(driver.run(lambda: 1), Returned)
        driver.wait_until(lambda: len(driver.slots) == 2)
        driver.close()

    def test_what_takes_long_to_pickle_holds_up_its_own_slot_alone(self) -> None:
        gate, driver = Gate(), Driver(ProcessesExecutor("processes", workers=2))
        first, second = driver.slots
        before, slow, after = driver.call(len, [1]), driver.call(len, gate), driver.call(len, [2])
        driver.send(before, slow, after, slot=first)
        assert gate.is_reached.wait(PATIENCE)
        driver.send(other := driver.call(len, [3]), slot=second)
        assert isinstance(driver.end_of(other), Returned)
        driver.executor.recall([(call.task, call.try_id) for call in (before, slow, after)])
        ends = [driver.end_of(call) for call in (before, after)]
        assert [end.cause for end in ends if isinstance(end, TryFailed)] == [Cause.RECALLED] * 2
        gate.is_open.set()
        end = driver.end_of(slow)
        assert isinstance(end, Returned)
        assert end.value == len("through")
        driver.close()

    def test_a_call_that_is_dropped_while_it_is_pickled_frees_its_slot(self, driver: Driver) -> None:
        gate = Gate()
        slow, after = driver.call(len, gate), driver.call(len, [1])
        driver.send(slow, after)
        assert gate.is_reached.wait(PATIENCE)
        driver.executor.drop([(slow.task, slow.try_id)])
        assert isinstance(driver.end_of(after), Returned)
        gate.is_open.set()
        assert isinstance(driver.run(len, [1]), Returned)
        assert slow.task not in [end.task for end in driver.ends()]

    @pytest.mark.parametrize("how", list(Exit))
    def test_closing_answers_for_what_is_being_pickled(self, how: Exit) -> None:
        gate, driver = Gate(), Driver(self.make())
        slow = driver.call(len, gate)
        driver.send(slow)
        assert gate.is_reached.wait(PATIENCE)
        if how is Exit.FINISH:
            gate.is_open.set()
        driver.close(how)
        gate.is_open.set()
        assert isinstance(driver.end_of(slow), Returned if how is Exit.FINISH else TryFailed)


def test_no_worker_is_no_executor() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        ProcessesExecutor(workers=0)
