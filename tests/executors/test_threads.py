import sys
import threading
import time

from nbflow.core.events import Returned, TryFailed
from nbflow.executors.protocol import SlotDown, SlotUp
from nbflow.executors.threads import ThreadsExecutor
from nbflow.wire.messages import Directive
from tests.contracts.executors import Driver, ExecutorContract, life

__all__ = ["life"]


class TestThreadsExecutor(ExecutorContract):
    def make(self) -> ThreadsExecutor:
        return ThreadsExecutor("threads", workers=1)

    def test_nothing_is_copied(self, driver: Driver) -> None:
        thing = object()
        end = driver.run(lambda it: it, thing)
        assert isinstance(end, Returned)
        assert end.value is thing

    def test_other_threads_print_where_they_did(self, driver: Driver, capsys: object) -> None:
        held = threading.Event()
        call = driver.call(lambda: (print("inside"), held.wait(5)))
        driver.send(call)
        print("outside")
        held.set()
        driver.end_of(call)
        assert driver.printed(call)["stdout"].text == "inside\n"
        assert capsys.readouterr().out == "outside\n"  # type: ignore[attr-defined]

    def test_standard_streams_are_given_back(self) -> None:
        before = sys.stdout, sys.stderr
        one, two = Driver(self.make()), Driver(self.make())
        one.close()
        two.close()
        assert (sys.stdout, sys.stderr) == before

    def test_a_call_that_ran_out_of_walltime_loses_its_slot_to_another(self, driver: Driver) -> None:
        (slot,) = driver.slots
        end = driver.run(time.sleep, 0.5, directive=Directive(walltime=0.01))
        assert isinstance(end, TryFailed)
        driver.wait_until(lambda: any(isinstance(one, SlotUp) for one in driver.seen))
        assert slot not in driver.slots
        assert isinstance(driver.run(lambda: 1), Returned)

    def test_a_waiting_call_gives_its_place_to_another(self) -> None:
        executor = ThreadsExecutor("threads", workers=1)
        driver = Driver(executor)
        go_on = threading.Event()

        def wait() -> int | None:
            executor.grow_for_this_thread()
            go_on.wait(5)
            call = executor.call_of_this_thread()
            return call and call.task

        try:
            waiting = driver.call(wait)
            driver.send(waiting)
            driver.wait_until(lambda: any(isinstance(one, SlotUp) for one in driver.seen))
            assert [type(one) for one in driver.seen] == [SlotDown, SlotUp]
            assert isinstance(driver.run(go_on.set), Returned)
            end = driver.end_of(waiting)
            assert isinstance(end, Returned)
            assert end.value == waiting.task
            assert executor.call_of_this_thread() is None
        finally:
            driver.close()
