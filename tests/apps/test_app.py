import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import (
    AppTimeout,
    AppTypeError,
    BashExitFailure,
    ConfigError,
    InvalidResources,
    MissingOutputs,
    NotLoaded,
)

needs_kernel = pytest.mark.usefixtures("kernel")


@nf.python_app
def scale(x: float, factor: float = 2.0, *, shift: float = 0.0) -> float:
    """Scale a number."""
    return x * factor + shift


def test_an_app_looks_like_its_function() -> None:
    assert scale.__name__ == "scale"
    assert scale.__doc__ == "Scale a number."
    assert scale.fn(2) == 4
    assert repr(scale).startswith("<python app ")
    assert pickle.loads(pickle.dumps(scale)).fn(2) == 4


def test_calling_before_load_says_what_to_do() -> None:
    with pytest.raises(NotLoaded, match=r"nbflow\.load\(\)"):
        scale(1)


@needs_kernel
def test_calls_are_checked_where_they_are_made() -> None:
    assert scale(1).result(10) == 2
    assert scale(1, factor=3, shift=1).result(10) == 4
    for args, kwargs in [((), {}), ((1, 2, 3), {}), ((1,), {"facto": 1})]:
        with pytest.raises(AppTypeError, match=r"scale\(x"):
            scale(*args, **kwargs)
    assert len(nf.tasks()) == 2


@needs_kernel
def test_map_submits_one_call_for_each_set_of_arguments() -> None:
    assert nf.gather(scale.map([1, 2, 3], [10, 20])) == [10, 40]
    with pytest.raises(AppTypeError, match="at least one"):
        scale.map()


def test_options_make_a_copy_and_are_checked() -> None:
    assert scale.options(cores=2, memory="1.5 GiB", walltime=3, priority=1, label="x") is not scale
    for bad in ({"cores": 0}, {"cores": 1.5}, {"memory": "lots"}, {"gpus": -1}):
        with pytest.raises(InvalidResources):
            scale.options(**bad)
    for bad in ({"walltime": 0}, {"walltime": float("nan")}, {"retries": "x"}, {"executors": [1]}):
        with pytest.raises(ConfigError):
            scale.options(**bad)
    assert scale.options(nodes=2, ranks_per_node=4) is not scale
    with pytest.raises(InvalidResources, match="nodes=0"):
        scale.options(nodes=0)
    with pytest.raises(ConfigError, match="did you mean 'retries'"):
        scale.options(retires=3)


def test_decorators_take_functions_only() -> None:
    with pytest.raises(AppTypeError, match="takes a function"):
        nf.python_app(3)  # type: ignore[call-overload]
    with pytest.raises(AppTypeError, match="'python', 'bash' or 'join'"):
        nf.App("perl")  # type: ignore[arg-type]


@needs_kernel
def test_app_by_name_of_its_kind_and_methods() -> None:
    @nf.App("python")
    def one() -> int:
        return 1

    class Model:
        scale = 3

        @nf.python_app
        def grow(self, x: int) -> int:
            return self.scale * x

    assert one().result(10) == 1
    assert Model().grow(2).result(10) == 6


@needs_kernel
def test_bash_app_runs_its_command_and_its_files_are_futures(tmp_path: Path) -> None:
    @nf.bash_app
    def shout(word: str, *, outputs: Any = (), stdout: Any = nf.AUTO) -> str:
        return f"echo {word} | tr a-z A-Z > {outputs[0]}; echo done"

    @nf.python_app
    def read(path: nf.File) -> str:
        return Path(path).read_text()

    future = shout("hello", outputs=[tmp_path / "out.txt"])
    assert read(future.outputs[0]).result(10) == "HELLO\n"
    assert future.result(10) == 0
    assert future.outputs[0].filename == "out.txt"


@needs_kernel
def test_the_journal_knows_the_files_of_each_task(tmp_path: Path) -> None:
    @nf.bash_app
    def write(outputs: list[str]) -> str:
        return f"echo 1 > {outputs[0]}"

    @nf.python_app
    def read(files: list[str], token: str = "") -> int:
        return len(files)

    written = write(outputs=[tmp_path / "a.txt"])
    reading = read([written.outputs[0], nf.File(tmp_path / "own.txt"), tmp_path / "unnamed"])
    assert reading.result() == 3
    rows = nf.sql("SELECT task, path, role FROM files")
    assert [tuple(row) for row in rows] == [
        (written.tid, str(tmp_path / "a.txt"), "writes"),
        (reading.tid, str(tmp_path / "a.txt"), "reads"),
        (reading.tid, str(tmp_path / "own.txt"), "reads"),
    ]


@needs_kernel
def test_stdout_goes_where_it_is_told(tmp_path: Path) -> None:
    @nf.bash_app
    def say(word: str, stdout: Any = None, stderr: Any = None) -> str:
        return f"echo {word}; echo bad {word} >&2"

    log = tmp_path / "logs" / "a.txt"
    say("one", stdout=log).result(10)
    say("two", stdout=(str(log), "a"), stderr=nf.File(str(tmp_path / "err"))).result(10)
    assert log.read_text() == "one\ntwo\n"
    assert (tmp_path / "err").read_text() == "bad two\n"
    auto = say("three", stdout=nf.AUTO)
    path = auto.stdout
    auto.result(10)
    assert path is not None
    assert Path(path).read_text() == "three\n"
    with pytest.raises(AppTypeError, match="stdout=3"):
        say("x", stdout=3)


@needs_kernel
def test_bash_failures_are_typed() -> None:
    @nf.bash_app
    def fail(code: int) -> str:
        return f"echo why >&2; exit {code}"

    @nf.bash_app(strict=True)
    def pipe() -> str:
        return "false | cat"

    @nf.bash_app
    def wrong() -> str:
        return 3  # type: ignore[return-value]

    with pytest.raises(BashExitFailure, match="why") as caught:
        fail(7).result(10)
    assert caught.value.exit_code == 7
    with pytest.raises(BashExitFailure):
        pipe().result(10)
    with pytest.raises(Exception, match="int"):
        wrong().result(10)


@needs_kernel
def test_missing_outputs_are_named(tmp_path: Path) -> None:
    @nf.python_app
    def forget(outputs: Any = ()) -> None:
        return None

    future = forget(outputs=[str(tmp_path / "never")])
    with pytest.raises(MissingOutputs) as caught:
        future.result(10)
    assert caught.value.paths == (str(tmp_path / "never"),)
    assert isinstance(future.outputs[0].exception(10), MissingOutputs)
    for bad in ("text", [3], 4):
        with pytest.raises(AppTypeError, match="outputs"):
            forget(outputs=bad)


@needs_kernel
def test_resources_of_one_call() -> None:
    @nf.python_app
    def cores() -> int:
        return os.getpid()

    assert cores(nbflow_resources={"cores": 1}).result(10) == os.getpid()
    assert cores(parsl_resource_specification={"cores": 1, "memory": 10}).result(10)
    with pytest.raises(InvalidResources):
        cores(nbflow_resources={"cores": 10_000})
    with pytest.raises(AppTypeError, match="give a dict"):
        cores(nbflow_resources=3)


@needs_kernel
def test_a_walltime_of_none_at_a_call_means_none() -> None:
    nap = nf.python_app(walltime=0.05)(lambda: time.sleep(0.2))
    assert isinstance(nap().exception(10), AppTimeout)
    assert nap(walltime=None).exception(10) is None
    assert nap(nbflow_resources={"walltime": None}).exception(10) is None
    assert nap.options(walltime=None)().exception(10) is None

    @nf.python_app(walltime=0.05)
    def declares(walltime: float | None = None) -> None:
        time.sleep(0.2)

    assert isinstance(declares().exception(10), AppTimeout)
    assert declares(walltime=None).exception(10) is None


def test_none_as_an_option_means_the_default() -> None:
    assert scale.options(retries=2).options(retries=None)._spec.options.retry is None
    assert scale.options(walltime=2).options(walltime=None)._spec.options.walltime is None
    again = scale.options(label="x", strict=True, executors="a").options(
        label=None, strict=None, executors=None
    )
    assert (again._directive.label, again._directive.is_strict) == ("", False)
    assert again._spec.options.executors == frozenset()
    for bad in ({"label": 3}, {"strict": "yes"}, {"sites": 3}, {"cache": "x"}, {"container": "x"}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            scale.options(**bad)


@needs_kernel
def test_reserved_arguments_that_mean_nothing_are_refused() -> None:
    with pytest.raises(AppTypeError, match="inputs"):
        scale(1, inputs=[scale(2)])
    for wrong in (0, [], {"label": "x"}, {"strict": True}):
        with pytest.raises(AppTypeError, match="nbflow_resources"):
            scale(1, nbflow_resources=wrong)
    with pytest.raises(ConfigError, match="did you mean 'cores'"):
        scale(1, nbflow_resources={"corse": 1})


@needs_kernel
def test_no_name_of_an_argument_is_taken_but_the_reserved_ones() -> None:
    @nf.python_app
    def names(self: int, fn: int, args: int) -> tuple[int, ...]:
        return self, fn, args

    assert names(self=1, fn=2, args=3).result(10) == (1, 2, 3)
