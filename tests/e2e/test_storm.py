"""A storm: several threads submit, cancel, retry and clear at random, and no future is left behind.

What happens is decided by a seed, which is printed and can be given as NEMESIS_SEED; the order in which the
threads run is not. NEMESIS_SECONDS makes it longer.
"""

import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from typing import Any, final

import pytest

import nbflow as nf
from nbflow.errors import NbflowError, NotLoaded, TaskError

from .nemesis import PATIENCE_SECONDS, Nemesis, nemesis

__all__ = ["nemesis"]

SECONDS = float(os.environ.get("NEMESIS_SECONDS", "4"))
Pick = Callable[[], Any]


class Asked(Exception):
    """Be the failure that was asked for."""


def total(*values: Any, pause: float = 0.0, fails: bool = False, dies: bool = False) -> int:
    time.sleep(pause)
    if dies:
        os._exit(3)
    if fails:
        raise Asked
    return 1 + sum(value if isinstance(value, int) else sum(value) for value in values)


add = nf.python_app(total)
again = nf.python_app(retries=3)(total)
box = nf.python_app(lambda value: [value])
spread = nf.join_app(lambda count, value: [add(number, value) for number in range(count)])
nested = nf.join_app(lambda count, value: box(add([spread(count, value)[0]])) if count else None)
check = nf.bash_app(lambda value, code=0: f"test {value} -ge 0 && exit {code}")

# NotLoaded: the body of a join app called another during a clear. TypeError: a retry gave a task what does
# not fit it.
ENDS = (Asked, TaskError, NotLoaded, CancelledError, TypeError)


@final
class Storm:
    """Own the futures that were made, and the threads that make more of them or meddle with those."""

    def __init__(self, rng: random.Random, *, has_processes: bool) -> None:
        self.futures: list[Future[Any]] = []
        self.surprises: list[BaseException] = []
        self._has_processes = has_processes
        self._is_over = threading.Event()
        jobs = [self._submit] * 3 + [self._meddle] * 2
        self._threads = [
            threading.Thread(target=self._go_on, args=(job, random.Random(rng.random())), name="storm")
            for job in jobs
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _go_on(self, job: Callable[[random.Random], None], rng: random.Random) -> None:
        while not self._is_over.wait(rng.random() * 0.02):
            try:
                job(rng)
            except ENDS:
                continue
            except NbflowError as error:  # a task that cannot be retried just now
                if "only failed" not in str(error):
                    self.surprises.append(error)
            except BaseException as error:  # noqa: BLE001 - the test fails by it
                self.surprises.append(error)

    def _submit(self, rng: random.Random) -> None:
        def pick() -> Any:
            # Also of a run that is over: its futures are those of others for this one.
            recent = self.futures[-60:]
            return rng.choice(recent) if recent and rng.random() < 0.7 else rng.randrange(100)

        made = rng.choice(
            [
                lambda: add(pick(), pick(), fails=rng.random() < 0.1),
                lambda: again([pick()], fails=rng.random() < 0.3),
                lambda: add(
                    {"a": [pick()]}["a"], pause=rng.random() * 0.04, walltime=rng.choice([None, 0.02])
                ),
                lambda: add(add(add(pick()))),
                lambda: nested(rng.randrange(3), rng.randrange(9)),
                lambda: spread(rng.randrange(4), pick()),
                lambda: check(1, code=rng.choice([0, 0, 3])),
                lambda: box(pick())[0],
                lambda: add(pick(), dies=self._has_processes and rng.random() < 0.02),
                lambda: self._foreign(rng, pick),
            ]
        )()
        made.add_done_callback(repr)
        self.futures += [made, *add.map(range(rng.randrange(6)))]

    def _foreign(self, rng: random.Random, pick: Pick) -> Future[Any]:
        foreign: Future[int] = Future()
        made = add(foreign, pick())
        if rng.random() < 0.5:
            foreign.set_exception(Asked())
        else:
            foreign.set_result(1)
        return made

    def _meddle(self, rng: random.Random) -> None:
        if not self.futures:
            return
        future: Any = rng.choice(self.futures[-300:])
        rng.choice(
            [
                future.cancel,
                lambda: future.task.retry(),
                lambda: future.task.retry(fn=lambda *args, **kwargs: 7),
                lambda: future.task.retry(args=(1,), kwargs={}),
                lambda: nf.retry(failed=True),
                lambda: nf.cancel(*rng.sample(self.futures, 1)),
                lambda: (repr(future), future.task.inputs, future.running()),
                lambda: wait(self.futures[-5:], 0.02),
            ]
        )()


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_no_future_is_left_behind_by_a_storm(nemesis: Nemesis, executor: str) -> None:
    rng = nemesis.random
    nf.load(executor, workers=2)
    storm = Storm(rng, has_processes=executor == "processes")
    storm.start()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(rng.random())
        if rng.random() < 0.3:
            nf.clear()
            nf.load(executor, workers=2)
    storm.end()
    late = wait(storm.futures, PATIENCE_SECONDS).not_done
    assert not late, f"{len(late)} of {len(storm.futures)} futures never end: {list(late)[:3]}"
    assert storm.surprises == []
    odd = [error for future in storm.futures if (error := _error(future)) and not isinstance(error, ENDS)]
    assert odd == []


def _error(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception(0)
    except CancelledError:
        return None
