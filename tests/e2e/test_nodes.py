"""What runs on the nodes of pilots: threads in a worker, commands on several nodes, limits of all kinds."""

import os
import time
from pathlib import Path

import pytest

import nbflow as nf
from nbflow.sites.model import Site
from tests.e2e import victims
from tests.e2e.nemesis import Nemesis, nemesis
from tests.e2e.test_pilots import here, marks

__all__ = ["here", "marks", "nemesis"]

pytest.importorskip("ipyparallel")


def test_calls_that_wait_share_a_worker(here: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, threads_per_worker=8))

    @nf.python_app
    def meet(where: str, number: int) -> int:
        Path(where, str(number)).touch()
        while len(list(Path(where).iterdir())) < 8:
            time.sleep(0.01)
        print("met as", number)
        return os.getpid()

    (tmp_path / "meeting").mkdir()
    futures = [meet(str(tmp_path / "meeting"), number) for number in range(8)]
    assert len(set(nf.gather(futures, timeout=60))) == 1
    assert futures[5].task.logs() == "met as 5\n"
    (row,) = nf.nodes()
    assert row.slots == 8


def test_F1_a_poison_call_in_a_thread_is_found_and_its_siblings_pay_nothing(
    here: Site, marks: Nemesis
) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, threads_per_worker=4))
    slow, poison = nf.python_app(victims.slow), nf.python_app(retries=100)(victims.poison)
    for n in range(8):
        marks.submit(slow, f"before{n}", n, expect=2 * n)
    bad = marks.submit(poison, "poison", expect=nf.errors.WorkerLost)
    for n in range(8):
        marks.submit(slow, f"after{n}", n, expect=2 * n)
    marks.check()
    assert "SIGSEGV" in str(bad.exception())
    assert marks.runs()["poison"] <= 4


def test_a_walltime_in_a_thread_ends_the_waiting_and_harms_no_sibling(here: Site, marks: Nemesis) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, threads_per_worker=2))
    slow, nap = nf.python_app(victims.slow), nf.python_app(walltime=0.2)(time.sleep)
    for n in range(6):
        marks.submit(slow, f"call{n}", n, expect=2 * n)
    late = nap(60)
    assert isinstance(late.exception(60), nf.errors.AppTimeout)
    marks.check()
    assert set(marks.runs().values()) == {1}
