import pytest

from nbflow.errors import ConfigError
from nbflow.providers.job import JobSpec
from nbflow.providers.launchers import LAUNCHERS, TASK_LAUNCHERS, launch, launch_task


def spec(launcher: str, **options: object) -> JobSpec:
    return JobSpec(name="nbf-1", command=("pilot", "{nodes}"), launcher=launcher, nodes=3, **options)


@pytest.mark.parametrize(
    ("launcher", "words"),
    [
        ("single", []),
        (
            "srun",
            [
                "srun",
                "--nodes=3",
                "--ntasks=6",
                "--ntasks-per-node=2",
                "--cpus-per-task=4",
                "--export=ALL",
                "--kill-on-bad-exit=0",
                "--wait=0",
            ],
        ),
        ("mpiexec", ["mpiexec", "-n", "6", "--ppn", "2"]),
        ("openmpi", ["mpiexec", "-n", "6", "--map-by", "ppr:2:node"]),
    ],
)
def test_a_command_is_started_on_all_nodes(launcher: str, words: list[str]) -> None:
    assert launch(spec(launcher, processes_per_node=2, cores_per_node=8)) == (*words, "pilot", "{nodes}")


def test_what_was_not_asked_for_is_left_out() -> None:
    assert not any(word.startswith("--cpus") for word in launch(spec("srun")))


def test_an_unknown_launcher_lists_the_known_ones_with_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"mpiexec, openmpi, single, srun\. Did you mean 'mpiexec'\?"):
        launch(spec("mpiexe"))


def test_a_task_is_started_on_its_hosts() -> None:
    assert "--nodelist=a,b" in launch_task("srun", ["a", "b"], 2, 8)
    assert "--cpus-per-task=4" in launch_task("srun", ["a", "b"], 2, 8)
    assert launch_task("openmpi", ["a", "b"], 2, 8)[:5] == ("mpiexec", "-n", "4", "--host", "a:2,b:2")
    assert launch_task("mpiexec", ["a", "b"], 2, 8) == ("mpiexec", "-n", "4", "-hosts", "a,b", "-ppn", "2")
    assert launch_task("single", ["a"], 3, 1) == ("mpiexec", "-n", "3")


def test_every_launcher_of_jobs_is_one_of_tasks() -> None:
    assert TASK_LAUNCHERS.keys() == LAUNCHERS.keys()
