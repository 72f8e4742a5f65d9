"""The rendered script, run by a real bash, gives the command what was asked for, byte for byte."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbflow.errors import ConfigError
from nbflow.providers.job import JobSpec
from nbflow.providers.registry import PROVIDERS, provider_names, render_job
from nbflow.providers.script import clock, job_script, mebibytes, quote

MARKS = "\\'\"$`!#;&|<>(){}[]*?~%^=- \t\n\r\x01\x1b\x7f\x85\u2028é\U0001f600\udc80\udcff"
TEXT = st.one_of(
    st.text(alphabet=MARKS, max_size=30),
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    st.sampled_from(
        ["#SBATCH --uid=0\n", "\n#PBS -q x\n", "a\n#$ -N x", "$(id)", "`id`", "${HOME}", "-n", ""]
    ),
)


def content(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def bash(script: str, *options: str) -> bytes:
    done = subprocess.run(["bash", *options], input=content(script), capture_output=True, check=True)
    return done.stdout


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(words=st.lists(TEXT, min_size=1, max_size=6), value=TEXT)
def test_B3_argv_and_environment_arrive_byte_for_byte(words: list[str], value: str) -> None:
    spec = JobSpec(
        name="nbf-1",
        command=("printf", "%s\\0", *words, "end"),
        environment={"VALUE": value},
        setup=('printf "%s\\0" "$VALUE"',),
    )
    assert bash(job_script(spec)).split(b"\0") == [*map(content, [value, *words, "end"]), b""]


@given(words=st.lists(TEXT, max_size=6), value=TEXT)
def test_B3_no_value_makes_a_line_of_its_own(words: list[str], value: str) -> None:
    spec = JobSpec(name="nbf-1", command=("echo", *words), directory=f"/{value}", environment={"A": value})
    assert job_script(spec).count("\n") == 4  # shebang, cd, export, exec
    assert all(ord(mark) >= 32 or mark == "\n" for mark in job_script(spec))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(words=st.lists(TEXT, min_size=1, max_size=4))
def test_B3_htcondor_hands_bash_the_whole_script(words: list[str]) -> None:
    spec = JobSpec(name="nbf-1", command=("printf", "%s\\0", *words))
    (line,) = [line for line in render_job("htcondor", spec).splitlines() if line.startswith("arguments = ")]
    quoted = line.removeprefix('arguments = "').removesuffix('"')
    assert '"' not in quoted
    assert "$(" not in quoted
    login, option, word = quoted.split(" ", 2)
    assert (login, option, word[0], word[-1]) == ("-l", "-c", "'", "'")
    told = word[1:-1].replace("''", "'")  # HTCondor's own rule for `'` inside `'`
    done = subprocess.run(["bash", "-c", told], capture_output=True, check=True)
    assert done.stdout.split(b"\0") == [*map(content, words), b""]


def test_a_directory_is_entered_or_the_job_ends(tmp_path: Path) -> None:
    place = tmp_path / "-a 'b'\n$c"
    place.mkdir()
    inside = JobSpec(name="nbf-1", command=("pwd", "-P"), directory=str(place))
    assert bash(job_script(inside)) == os.fsencode(place) + b"\n"
    nowhere = JobSpec(name="nbf-1", command=("pwd",), directory=str(tmp_path / "none"))
    with pytest.raises(subprocess.CalledProcessError):
        bash(job_script(nowhere))


def test_the_command_takes_the_place_of_the_shell() -> None:
    """A signal for the job reaches the command, and its exit code is the job's."""
    spec = JobSpec(
        name="nbf-1", command=(sys.executable, "-c", "import os; print(os.getpid())"), setup=("echo $$",)
    )
    shell, command = bash(job_script(spec)).split()
    assert shell == command


@pytest.mark.parametrize(("seconds", "text"), [(1, "00:00:01"), (3700, "01:01:40"), (360_000, "100:00:00")])
def test_a_walltime_is_written_in_hours(seconds: int, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(("nbytes", "size"), [(1, 1), (2**20, 1), (2**20 + 1, 2), (4 * 2**30, 4096)])
def test_memory_is_rounded_up(nbytes: int, size: int) -> None:
    assert mebibytes(nbytes) == size


def test_plain_words_stay_plain() -> None:
    assert [quote("a-b/c.d"), quote("a b"), quote("it's\n")] == ["a-b/c.d", "'a b'", r"$'it\'s\x0a'"]


WHOLE = JobSpec(
    name="nbf-0123456789",
    command=("python3", "-m", "pilot"),
    processes_per_node=2,
    cores_per_node=8,
    memory_nbytes=4 * 2**30,
    gpus_per_node=1,
    walltime_seconds=3700,
    account="proj1",
    stdout="/scratch/out",
)

WANTED = {
    "slurm": [
        "#SBATCH --job-name=nbf-0123456789",
        "#SBATCH --output=/scratch/out",
        "#SBATCH --export=NONE",
        "#SBATCH --no-requeue",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=2",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=4096M",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --time=01:01:40",
        "#SBATCH --account=proj1",
    ],
    "gridengine": [
        "#$ -pe smp 8",
        "#$ -l h_rt=01:01:40",
        "#$ -l mem_free=4096M",
        "#$ -l gpu=1",
        "#$ -P proj1",
    ],
    "pbs": [
        "#PBS -l select=1:ncpus=8:mpiprocs=2:mem=4096mb:ngpus=1",
        "#PBS -l walltime=01:01:40",
        "#PBS -A proj1",
        "#PBS -j oe",
    ],
    "lsf": [
        "#BSUB -n 8",
        '#BSUB -R "span[ptile=8]"',
        '#BSUB -R "rusage[mem=4096MB/host]"',
        '#BSUB -gpu "num=1/host"',
        "#BSUB -W 1:02",
        "#BSUB -P proj1",
        "#BSUB -env none",
    ],
    "htcondor": [
        "request_cpus = 8",
        "request_memory = 4096",
        "request_gpus = 1",
        "accounting_group = proj1",
        "getenv = False",
        "# exec -- python3 -m pilot",
    ],
    "local": ["exec >/scratch/out 2>&1", "exec -- python3 -m pilot"],
}


@pytest.mark.parametrize("name", WANTED)
def test_what_a_job_needs_is_asked_for_in_the_systems_words(name: str) -> None:
    lines = render_job(name, WHOLE).splitlines()
    assert [line for line in WANTED[name] if line not in lines] == []


@pytest.mark.parametrize("name", ["slurm", "gridengine", "pbs", "lsf"])
def test_extra_directives_are_used_as_they_are_before_the_command(name: str) -> None:
    spec = JobSpec(name="nbf-1", command=("true",), directives=("-x 'a b'",))
    mark = {"slurm": "#SBATCH", "gridengine": "#$", "pbs": "#PBS", "lsf": "#BSUB"}[name]
    lines = render_job(name, spec).splitlines()
    assert lines.index(f"{mark} -x 'a b'") == len(lines) - 2


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("local", {"nodes": 2}, "nodes=1"),
        ("htcondor", {"nodes": 2}, "nodes=1"),
        ("htcondor", {"partition": "long"}, "no partitions"),
        ("gridengine", {"nodes": 2}, "'-pe NAME 2'"),
        ("slurm", {"launcher": "sruns"}, "Did you mean 'srun'"),
    ],
)
def test_what_a_system_cannot_give_is_refused(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        render_job(name, JobSpec(name="nbf-1", command=("true",), **options))


def test_a_named_parallel_environment_is_used_alone() -> None:
    spec = JobSpec(name="nbf-1", command=("true",), nodes=2, directives=("-pe mpi 2",))
    assert render_job("gridengine", spec).count("-pe ") == 1


def test_every_provider_renders() -> None:
    spec = JobSpec(name="nbf-1", command=("true",))
    assert all("exec -- true" in render_job(name, spec) for name in provider_names())
    assert set(provider_names()) >= set(PROVIDERS.built_in)
