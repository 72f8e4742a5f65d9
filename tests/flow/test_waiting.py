"""Waiting for many futures: in any arrangement, from anywhere."""

import signal
import threading
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import AppTypeError

pytestmark = pytest.mark.usefixtures("kernel")


def test_generators_and_views_of_dicts_are_looked_into() -> None:
    absolute = nf.python_app(abs)
    assert nf.gather(absolute(-number) for number in range(3)) == [0, 1, 2]
    assert nf.gather({"a": absolute(-1)}.values()) == [1]
    assert len(list(nf.as_completed(absolute(-number) for number in range(3)))) == 3
    assert len(nf.wait((absolute(-number) for number in range(3)), timeout=10).done) == 3


@pytest.mark.parametrize("wait", [nf.wait, lambda futures: list(nf.as_completed(futures))])
def test_joins_that_wait_inside_do_not_block_each_other(wait: Any) -> None:
    @nf.join_app
    def inner(number: int) -> Any:
        return nf.python_app(abs)(-number)

    @nf.join_app
    def outer(number: int) -> Any:
        future = inner(number)
        wait([future])
        return future

    assert nf.gather([outer(number) for number in range(6)], timeout=20) == list(range(6))


@pytest.mark.parametrize("wait", [nf.wait, lambda futures: list(nf.as_completed(futures)), nf.gather])
def test_who_interrupts_the_waiting_is_told_what_goes_on(
    wait: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = threading.Event()
    future = nf.python_app(lambda: gate.wait(20))()
    interrupt = threading.Timer(0.05, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        wait([future])
    interrupt.join()
    assert "stopped waiting; 1 task goes on" in capsys.readouterr().err
    gate.set()
    assert future.result(10)


@pytest.mark.parametrize("verb", [nf.cancel, nf.retry, nf.release, nf.pause, nf.resume])
def test_a_choice_of_none_is_none_and_not_all(verb: Any) -> None:
    absolute, gate = nf.python_app(abs), threading.Event()
    waiting = nf.python_app(lambda: gate.wait(20))()
    assert verb([]) == verb({}) == verb(future for future in [waiting] if future.done()) == 0
    gate.set()
    assert waiting.result(10)
    assert absolute(-1).result(10) == 1
    with pytest.raises(AppTypeError, match="give futures"):
        verb([1])


def test_a_generator_chooses_tasks() -> None:
    gate = threading.Event()
    futures = [nf.python_app(lambda: gate.wait(20))() for _ in range(3)]
    assert nf.cancel(future for future in futures[1:]) == 2
    gate.set()
    assert futures[0].result(10)
