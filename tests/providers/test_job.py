import pytest

from nbflow.errors import ConfigError
from nbflow.providers.job import JobSpec, job_name


def spec(**options: object) -> JobSpec:
    return JobSpec(**{"name": "nbf-1", "command": ("true",), **options})


def test_a_job_name_fits_the_fifteen_characters_of_old_pbs() -> None:
    assert job_name("nbf", "0123456789") == "nbf-0123456789"
    assert len(job_name("nbf", "0123456789")) <= 15


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "1st"}, "name is '1st'"),
        ({"name": "a b"}, "name is 'a b'"),
        ({"name": ""}, "name is ''"),
        ({"command": ()}, "command is empty"),
        ({"command": ("",)}, "command is empty"),
        ({"command": ("echo", "a\0b")}, r"command\[1\].*NUL"),
        ({"command": ("echo", "\ud800")}, r"command\[1\].*UTF-8"),
        ({"nodes": 0}, "nodes is 0"),
        ({"nodes": True}, "nodes is True"),
        ({"cores_per_node": 1.5}, "cores_per_node is 1.5"),
        ({"memory_nbytes": -1}, "memory_nbytes is -1"),
        ({"gpus_per_node": -1}, "gpus_per_node is -1"),
        ({"walltime_seconds": float("nan")}, "walltime_seconds is nan"),
        ({"partition": "a b"}, "partition is 'a b'"),
        ({"partition": "--exclusive"}, "partition is '--exclusive'"),
        ({"account": "x\n#SBATCH --uid=0"}, "account is"),
        ({"reservation": "$(id)"}, "reservation is"),
        ({"stdout": "relative"}, "stdout is 'relative'"),
        ({"stdout": "/a b"}, "stdout is '/a b'"),
        ({"stderr": "/%j"}, "stderr is '/%j'"),
        ({"directory": "here"}, "directory is 'here'"),
        ({"directory": "/a\0"}, "directory is"),
        ({"environment": {"A B": "1"}}, "environment is 'A B'"),
        ({"environment": {"A=B": "1"}}, "environment is 'A=B'"),
        ({"environment": {"A": "\0"}}, r"environment\['A'\].*NUL"),
        ({"setup": ("one\ntwo",)}, "setup has"),
        ({"setup": ("#SBATCH --uid=0",)}, "into `directives`"),
        ({"directives": ("--a\n--b",)}, "directives has"),
    ],
)
def test_B3_what_no_batch_system_could_take_is_refused_with_its_name(
    options: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        spec(**options)
