"""Ask a peer to do something, check what it answers, and return figures; know no particular peer.

A workload is a function `(peer, size) -> Figures`. Those in `STARTED` get a peer that is up and has
run a few tasks; those in `COLD` get one of which nothing is imported yet. The names of figures end in their
unit; `tasks_per_second` and CPU per task are what `Stopwatch.per_task` makes of every one.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import functions
from benchmarks.gauges import Stopwatch, settled_resident_bytes
from benchmarks.peers import Call, Peer

__all__ = ["COLD", "STARTED", "WORKERS", "Figures", "Workload", "warm_up"]

Figures = dict[str, float]
Workload = Callable[[Peer, int], Figures]

WORKERS = 2
ARITY = 10
ROUND = 1_000
FILLING_ROUNDS = 3
ARRAY_FLOATS = 131_072  # 1 MiB
WARM_UP_TASKS = 20
PARTS = 4
FINGERPRINTS = 15


def warm_up(peer: Peer) -> None:
    """Run a few tasks, so that workers are up and have seen what is common to all workloads."""
    call = peer.independent(functions.noop)
    _expect(peer.gather([call(number) for number in range(WARM_UP_TASKS)]), list(range(WARM_UP_TASKS)))


def throughput(peer: Peer, size: int) -> Figures:
    """Submit `size` no-ops one by one, then gather them."""
    return _throughput(peer, peer.independent(functions.noop), size)


def throughput_of_main(peer: Peer, size: int) -> Figures:
    """Do the same with a function of `__main__`, which is what a notebook's functions are."""
    return _throughput(peer, peer.independent(sys.modules["__main__"].noop), size)


def _throughput(peer: Peer, call: Call, size: int) -> Figures:
    with Stopwatch() as watch:
        began = time.perf_counter()
        futures = [call(number) for number in range(size)]
        submit_seconds = time.perf_counter() - began
        results = peer.gather(futures)
    _expect(results, list(range(size)))
    return {"submit_microseconds": 1e6 * submit_seconds / size, **watch.per_task(size)}


def scale(peer: Peer, size: int) -> Figures:
    """Submit `size` no-ops of four shapes one by one, gather them, and weigh the tasks, still held."""
    call = peer.independent(functions.noop)
    shapes = [call, *(call.options(cores=cores) for cores in (3, 8, 64))]
    before = settled_resident_bytes()
    with Stopwatch() as watch:
        futures = [shapes[number % 4](number) for number in range(size)]
        results = peer.gather(futures)
    _expect(results, list(range(size)))
    del results
    return {"bytes_per_task": (settled_resident_bytes() - before) / size, **watch.per_task(size)}


def memo_first(peer: Peer, size: int) -> Figures:
    """Submit `size` no-ops whose results are remembered, and of which none is known yet."""
    return _throughput(peer, peer.remembered(functions.noop), size)


def memo_again(peer: Peer, size: int) -> Figures:
    """Submit `size` no-ops that were called before."""
    call = peer.remembered(functions.noop)
    peer.gather([call(number) for number in range(size)])
    figures = _throughput(peer, call, size)
    return {"hit_microseconds": 1e6 / figures["tasks_per_second"], **figures}


def fingerprint(peer: Peer, size: int) -> Figures:
    """Look at a function with `size` helpers, defined in a cell of their own: the first time, then again."""
    fingerprinter = import_module("nbflow.wire.fingerprint").Fingerprinter
    first, again = [], []
    for repeat in range(FINGERPRINTS):
        follow = fingerprinter(functions.with_helpers(size, repeat)).snapshot
        for seconds in (first, again):
            began = time.perf_counter()
            follow()
            seconds.append(time.perf_counter() - began)
    return {
        "first_milliseconds": 1e3 * statistics.median(first),
        "again_microseconds": 1e6 * statistics.median(again),
    }


def latency(peer: Peer, size: int) -> Figures:
    """Run `size` no-ops, each gathered before the next is submitted."""
    call = peer.independent(functions.noop)
    seconds = []
    with Stopwatch() as watch:
        for number in range(size):
            began = time.perf_counter()
            results = peer.gather([call(number)])
            seconds.append(time.perf_counter() - began)
            _expect(results, [number])
    percentiles = statistics.quantiles(seconds, n=100)
    return {
        "median_milliseconds": 1e3 * statistics.median(seconds),
        "p99_milliseconds": 1e3 * percentiles[98],
        **watch.per_task(size),
    }


def chain(peer: Peer, size: int) -> Figures:
    """Run `size` tasks, each with the one before as its argument."""
    call = peer.dependent(functions.increment)
    with Stopwatch() as watch:
        future = call(0)
        for _ in range(size - 1):
            future = call(future)
        results = peer.gather([future])
    _expect(results, [size])
    return watch.per_task(size)


def map_reduce(peer: Peer, size: int) -> Figures:
    """Map over `size` numbers and add them up in a tree of ten children per node."""
    mapper, reducer = peer.dependent(functions.increment), peer.dependent(functions.add)
    tasks = size
    with Stopwatch() as watch:
        level = [mapper(number) for number in range(size)]
        while len(level) > 1:
            level = [reducer(*level[start : start + ARITY]) for start in range(0, len(level), ARITY)]
            tasks += len(level)
        results = peer.gather(level)
    _expect(results, [size * (size + 1) // 2])
    return watch.per_task(tasks)


def naps(peer: Peer, size: int) -> Figures:
    """Add up naps by fours, `size` tasks in all: workers make it fast, whatever CPUs they have."""
    napper, reducer = peer.dependent(functions.nap), peer.dependent(functions.add)
    sums = size // (PARTS + 1)
    with Stopwatch() as watch:
        parts = [napper(number) for number in range(sums * PARTS)]
        results = peer.gather(
            [reducer(*parts[start : start + PARTS]) for start in range(0, len(parts), PARTS)]
        )
    _expect(results, [sum(range(start, start + PARTS)) for start in range(0, len(parts), PARTS)])
    return watch.per_task(size)


def fan_in(peer: Peer, size: int) -> Figures:
    """Run one task with `size` parents, and note the longest time one submission kept the caller."""
    parent, child = peer.dependent(functions.noop), peer.dependent(functions.count)
    with Stopwatch() as watch:
        parents, pause_of_parents = _submit_each(parent, ((number,) for number in range(size)))
        last, pause_of_child = _submit_each(child, [parents])
        results = peer.gather(last)
    _expect(results, [size])
    return {"longest_pause_seconds": max(pause_of_parents, pause_of_child), **watch.per_task(size + 1)}


def fan_out(peer: Peer, size: int) -> Figures:
    """Run `size` tasks with one parent that waits until all are submitted, and note the longest pause."""
    go = Path("go")
    parent, child = peer.dependent(functions.wait_for_file), peer.dependent(functions.increment)
    with Stopwatch() as watch:
        first = parent(str(go.absolute()))
        futures, pause = _submit_each(child, ((first,) for _ in range(size)))
        go.touch()
        results = peer.gather(futures)
    _expect(results, [1] * size)
    return {"longest_pause_seconds": pause, **watch.per_task(size + 1)}


def _submit_each(call: Call, arguments: Iterable[Iterable[Any]]) -> tuple[list[Any], float]:
    futures, longest = [], 0.0
    before = time.perf_counter()
    for each in arguments:
        futures.append(call(*each))
        after = time.perf_counter()
        longest = max(longest, after - before)
        before = after
    return futures, longest


def memory_outstanding(peer: Peer, size: int) -> Figures:
    """Weigh `size` tasks that wait behind busy workers."""
    go = Path("go")
    block, call = peer.independent(functions.wait_for_file), peer.independent(functions.noop)
    before = settled_resident_bytes()
    futures = [block(str(go.absolute())) for _ in range(WORKERS)]
    futures += [call(number) for number in range(size)]
    after = settled_resident_bytes()
    go.touch()
    peer.gather(futures)
    return {"bytes_per_outstanding_task": (after - before) / size}


def memory_finished(peer: Peer, size: int) -> Figures:
    """Weigh `size` finished tasks while their futures are held, then after these were dropped.

    The tasks come in rounds, so that what they weighed while they waited is not counted again. The first
    rounds only fill what is kept once for all tasks.
    """
    call = peer.independent(functions.noop)
    for _ in range(FILLING_ROUNDS):
        _finished(peer, call, ROUND)
    before = settled_resident_bytes()
    held = [_finished(peer, call, ROUND) for _ in range(size // ROUND)]
    after = settled_resident_bytes()
    held.clear()
    dropped = settled_resident_bytes()
    return {
        "bytes_per_finished_task": (after - before) / size,
        "bytes_per_dropped_task": (dropped - before) / size,
    }


def memory_growth(peer: Peer, size: int) -> Figures:
    """Run `size` tasks in ten rounds whose futures are dropped, and weigh what stays after three."""
    call = peer.independent(functions.noop)
    per_round = size // 10
    for _ in range(FILLING_ROUNDS):
        _finished(peer, call, per_round)
    before = settled_resident_bytes()
    weighed = 10 - FILLING_ROUNDS
    for _ in range(weighed):
        _finished(peer, call, per_round)
    return {"growth_bytes_per_task": (settled_resident_bytes() - before) / (weighed * per_round)}


def _finished(peer: Peer, call: Call, size: int) -> list[Any]:
    futures = [call(number) for number in range(size)]
    peer.gather(futures)
    return futures


def payload(peer: Peer, size: int) -> Figures:
    """Send `size` different arrays of 1 MiB and get as many back."""
    full = import_module("numpy").full
    call = peer.independent(functions.increment)
    arrays = [full(ARRAY_FLOATS, float(number)) for number in range(size)]
    peer.gather([call(arrays[0]) for _ in range(WORKERS)])
    with Stopwatch() as watch:
        results = peer.gather([call(array) for array in arrays])
    _expect([float(result[0]) for result in results], [number + 1.0 for number in range(size)])
    megabytes = 2 * size * arrays[0].nbytes / 1e6
    return {"megabytes_per_second": megabytes / watch.wall_seconds, **watch.per_task(size)}


def start_up(peer: Peer, size: int) -> Figures:
    """Import and start a cold peer, get the results of `size` calls, and close it."""
    with Stopwatch() as watch:
        began = time.perf_counter()
        peer.prepare()
        imported = time.perf_counter()
        peer.start(WORKERS)
        call = peer.independent(functions.noop)
        results = peer.gather([call(number) for number in range(size)])
        first_result = time.perf_counter()
    peer.close()
    _expect(results, list(range(size)))
    return {
        "import_seconds": imported - began,
        "first_result_seconds": first_result - imported,
        **watch.per_task(size),
    }


def import_time(peer: Peer, size: int) -> Figures:
    """Import a peer's modules in `size` fresh interpreters, after one that fills the byte-code cache."""
    program = (
        "import time; began = time.perf_counter()\n"
        f"import {', '.join(peer.modules)}\n"
        "print(time.perf_counter() - began)"
    )
    seconds = [_printed_number(program) for _ in range(size + 1)][1:]
    return {"import_milliseconds": 1e3 * statistics.median(seconds)}


def _printed_number(program: str) -> float:
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _expect(results: list[Any], expected: list[Any]) -> None:
    if results != expected:
        raise ValueError(f"wrong results: {str(results)[:200]} instead of {str(expected)[:200]}")


STARTED: dict[str, Workload] = {
    "throughput": throughput,
    "scale": scale,
    "throughput-of-main": throughput_of_main,
    "memo-first": memo_first,
    "memo-again": memo_again,
    "fingerprint": fingerprint,
    "latency": latency,
    "chain": chain,
    "map-reduce": map_reduce,
    "naps": naps,
    "fan-in": fan_in,
    "fan-out": fan_out,
    "memory-outstanding": memory_outstanding,
    "memory-finished": memory_finished,
    "memory-growth": memory_growth,
    "payload": payload,
}
COLD: dict[str, Workload] = {"start-up": start_up, "import": import_time}
