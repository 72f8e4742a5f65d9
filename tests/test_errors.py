"""Every error keeps what it says when it travels, and is caught by the names that people expect."""

import copy
import inspect
import pickle

import pytest

from nbflow import errors
from nbflow.errors import (
    AppExited,
    AppTimeout,
    BashExitFailure,
    BlockTooShort,
    ConfigError,
    DependencyError,
    InvalidResources,
    JoinError,
    MissingOutputs,
    NbflowError,
    NotLoaded,
    NotPicklable,
    NotReadable,
    RemoteError,
    RemoteTraceback,
    TaskError,
    WorkerLost,
)

SAMPLES = [
    AppTimeout("too long", task=1),
    AppExited("sys.exit(3)", task=2),
    BashExitFailure("exit code 2", exit_code=2, task=3),
    MissingOutputs("no a.txt", paths=("a.txt",), task=4),
    DependencyError("task 1 failed", root=ValueError("why"), root_task=1, task=5),
    JoinError("not a future", task=6),
    WorkerLost("killed", reason="signal 9", task=7),
    NotPicklable("a lock", path="args[0].lock", task=8),
    RemoteError("odd", type_name="site.Odd", task=9),
    NotReadable("no such module", task=10),
    BlockTooShort("ran for 9 s", seconds=9.0, lifetime=10.0, task=11),
]


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "through", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy], ids=["pickle", "copy"]
)
def test_an_error_travels_whole(error: TaskError, through: object) -> None:
    twin = through(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert {**vars(twin), "root": None} == {**vars(error), "root": None}
    assert repr(getattr(twin, "root", None)) == repr(getattr(error, "root", None))


def test_notes_travel_with_an_error() -> None:
    error = WorkerLost("gone", reason="exit code 1", task=1)
    error.add_note("the retry handler raised")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["the retry handler raised"]


def test_every_task_error_has_a_sample_and_carries_its_task() -> None:
    assert {type(sample) for sample in SAMPLES} == set(TaskError.__subclasses__())
    assert [sample.task for sample in SAMPLES] == list(range(1, len(SAMPLES) + 1))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (AppTimeout, TimeoutError),
        (ConfigError, ValueError),
        (InvalidResources, ConfigError),
        (NotLoaded, RuntimeError),
        (NotPicklable, TypeError),
    ],
)
def test_an_error_is_caught_by_the_builtin_that_fits(kind: type, expected: type) -> None:
    assert issubclass(kind, expected)


def test_all_but_the_traceback_are_nbflow_errors() -> None:
    kinds = [getattr(errors, one) for one in errors.__all__]
    assert [kind for kind in kinds if not issubclass(kind, NbflowError)] == [RemoteTraceback]


def test_the_module_draws_the_whole_tree() -> None:
    assert errors.__doc__ is not None
    drawn = {word for word in errors.__doc__.split() if word in errors.__all__}
    assert drawn == set(errors.__all__) - {"RemoteTraceback"}
    assert {one for one, kind in inspect.getmembers(errors, inspect.isclass)} >= set(errors.__all__)


def test_a_remote_traceback_shows_its_text() -> None:
    assert str(RemoteTraceback("Traceback ...")) == "\nTraceback ..."
