from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import ConfigError
from nbflow.flow.current import current


@pytest.fixture(autouse=True)
def cleared() -> Any:
    yield
    nf.clear()


def test_loading_twice_goes_on_with_the_same_run() -> None:
    first = nf.load("threads", workers=1)
    assert nf.load().run_id == first.run_id
    assert nf.load("threads", workers=1).run_id == first.run_id
    assert "threads" in repr(first)


def test_another_configuration_replaces_an_idle_kernel_only() -> None:
    import threading

    event = threading.Event()
    first = nf.load("threads", workers=1)
    blocked = nf.python_app(event.wait)(10)
    with pytest.raises(ConfigError, match="1 unfinished"):
        nf.load("threads", workers=2)
    event.set()
    blocked.result(10)
    assert nf.load("threads", workers=2).run_id != first.run_id


def test_as_context_manager_it_waits_for_all_work() -> None:
    with nf.load("threads", workers=1):
        future = nf.python_app(sum)([1, 2])
    assert future.result(0) == 3
    with pytest.raises(nf.errors.NotLoaded):
        current()


@pytest.mark.parametrize(
    "arguments",
    [
        {"executors": "nope"},
        {"executors": 3},
        {"workers": 0},
        {"workers": True},
        {"retries": -1},
        {"config": 1},
    ],
)
def test_bad_configurations_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        nf.load(**arguments)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean processes"):
        nf.load("proceses")


def test_any_executor_of_the_standard_library() -> None:
    with ThreadPoolExecutor(2) as pool:
        nf.load(pool, workers=2)
        assert nf.gather(nf.python_app(abs).map([-1, -2])) == [1, 2]
        nf.clear()


def test_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBFLOW_EXECUTOR", "threads")
    monkeypatch.setenv("NBFLOW_WORKERS", "3")
    nf.load()
    assert current().describe_executors() == "threads"
    nf.load("threads", workers=3)
    nf.load("threads")
    assert len(current()._executors[0]._runners) == 3  # type: ignore[attr-defined]
    monkeypatch.setenv("NBFLOW_WORKERS", "many")
    nf.clear()
    with pytest.raises(ConfigError, match="NBFLOW_WORKERS"):
        nf.load()
