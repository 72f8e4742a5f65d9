import os

import pytest

from nbflow.core.task import Grant
from nbflow.worker.granted import granted

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind")


def test_a_call_sees_the_gpus_that_it_was_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert granted(Grant(gpus=(1, 3)), lambda: os.environ["CUDA_VISIBLE_DEVICES"]) == "1,3"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_gpus_count_among_those_that_the_job_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-8f,7")
    assert granted(Grant(gpus=(1, 2)), lambda: os.environ["CUDA_VISIBLE_DEVICES"]) == "GPU-8f,7"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,GPU-8f,7"


@needs_affinity
def test_a_call_is_bound_to_its_cores_and_free_afterwards() -> None:
    had = os.sched_getaffinity(0)
    seen, threads = granted(
        Grant(cores=(0,)), lambda: (os.sched_getaffinity(0), os.environ["OMP_NUM_THREADS"])
    )
    assert seen == {min(had)}
    assert threads == "1"
    assert os.sched_getaffinity(0) == had


@needs_affinity
def test_cores_that_are_not_there_bind_nothing() -> None:
    had = os.sched_getaffinity(0)
    assert granted(Grant(cores=(0, 10_000)), lambda: os.sched_getaffinity(0)) == had


def test_all_is_as_before_when_it_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(ZeroDivisionError):
        granted(Grant(gpus=(0,)), lambda: 1 // 0)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
