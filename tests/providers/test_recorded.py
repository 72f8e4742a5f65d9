"""What each batch system writes, and what it says: recorded answers, played to a provider."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nbflow.errors import ProviderError
from nbflow.providers.batch import BatchProvider
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.providers.registry import PROVIDERS
from nbflow.providers.system import Unreadable
from nbflow.providers.systems.gridengine import parse_qacct
from nbflow.providers.systems.slurm import expand_nodes
from nbflow.sites.session import Completed

RECORDED = Path(__file__).with_name("recorded")
PENDING, ACTIVE, ENDED = JobState.PENDING, JobState.ACTIVE, JobState.ENDED


class Played:
    """Answer each command with what was recorded for it: {command: file}."""

    def __init__(self, answers: dict[str, Completed]) -> None:
        self.answers = answers
        self.commands: list[Sequence[str]] = []

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float | None = None
    ) -> Completed:
        self.commands.append(argv)
        return next(answer for word, answer in self.answers.items() if word in argv)


def played(**files: str) -> Played:
    return Played({word: Completed(0, (RECORDED / path).read_text(), "") for word, path in files.items()})


def outcome(status: JobStatus) -> tuple[object, ...]:
    return status.state, status.cause, status.exit_code, status.signal, status.nodes


SESSIONS = {
    "slurm": lambda: played(squeue="slurm/squeue.txt", sacct="slurm/completion.txt"),
    "gridengine": lambda: played(qstat="gridengine/qstat.xml", qacct="gridengine/qacct.txt"),
    "pbs": lambda: played(qstat="pbs/qstat.txt"),
    "lsf": lambda: played(bjobs="lsf/bjobs.json"),
    "htcondor": lambda: played(condor_q="htcondor/queue.json", condor_history="htcondor/history.json"),
}

SAID = {
    ("slurm", "1"): (ENDED, EndCause.FAILED, 3, None, ("nb1",)),
    ("slurm", "2"): (ACTIVE, None, None, None, ("nb1", "nb2")),
    ("slurm", "6"): (ENDED, EndCause.FAILED, None, 9, ("nb2",)),
    ("slurm", "7"): (ENDED, EndCause.CANCELLED, None, 15, ("nb2",)),
    ("slurm", "10"): (PENDING, None, None, None, ()),
    ("gridengine", "1"): (ENDED, EndCause.FAILED, 3, None, ("localhost",)),
    ("gridengine", "2"): (ACTIVE, None, None, None, ("localhost",)),
    ("gridengine", "3"): (PENDING, None, None, None, ()),
    ("gridengine", "4"): (ENDED, EndCause.FAILED, None, 9, ("localhost",)),
    ("gridengine", "5"): (PENDING, None, None, None, ()),
    ("gridengine", "31"): (ENDED, EndCause.TIMEOUT, None, 9, ("localhost",)),
    ("pbs", "42634.pbs1"): (PENDING, None, None, None, ()),
    ("pbs", "42635.pbs1"): (ACTIVE, None, None, None, ("node12", "node13")),
    ("pbs", "42636.pbs1"): (ENDED, EndCause.COMPLETED, 0, None, ("node12",)),
    ("pbs", "42637.pbs1"): (ENDED, EndCause.CANCELLED, None, 15, ("node12",)),
    ("pbs", "42638.pbs1"): (ENDED, EndCause.TIMEOUT, None, None, ("node12",)),
    ("pbs", "42639.pbs1"): (ENDED, EndCause.OUT_OF_MEMORY, None, None, ("node12",)),
    ("pbs", "42640.pbs1"): (ENDED, EndCause.FAILED, 3, None, ("node12",)),
    ("pbs", "42641.pbs1"): (ENDED, EndCause.CANCELLED, None, None, ()),
    ("lsf", "22001"): (PENDING, None, None, None, ()),
    ("lsf", "22002"): (ACTIVE, None, None, None, ("cn019", "cn020")),
    ("lsf", "22003"): (ENDED, EndCause.COMPLETED, 0, None, ("cn019",)),
    ("lsf", "22004"): (ENDED, EndCause.FAILED, 3, None, ("cn019",)),
    ("lsf", "22005"): (ENDED, EndCause.TIMEOUT, None, 12, ("cn028",)),
    ("lsf", "22006"): (ENDED, EndCause.CANCELLED, None, None, ()),
    ("lsf", "22007"): (ACTIVE, None, None, None, ("cn030",)),
    ("htcondor", "12.0"): (PENDING, None, None, None, ()),
    ("htcondor", "13.0"): (ACTIVE, None, None, None, ("worker1.example.org",)),
    ("htcondor", "14.0"): (PENDING, None, None, None, ()),
    ("htcondor", "15.0"): (ENDED, EndCause.COMPLETED, 0, None, ("worker1.example.org",)),
    ("htcondor", "16.0"): (ENDED, EndCause.FAILED, None, 9, ("worker1.example.org",)),
    ("htcondor", "17.0"): (ENDED, EndCause.CANCELLED, None, None, ("worker1.example.org",)),
    ("htcondor", "18.0"): (ENDED, EndCause.TIMEOUT, None, None, ()),
}

SYSTEMS = sorted(SESSIONS)


@pytest.mark.parametrize(("name", "job"), SAID, ids=lambda value: str(value))
def test_what_a_batch_system_says_is_understood(name: str, job: str) -> None:
    provider = BatchProvider(PROVIDERS.find(name), SESSIONS[name]())
    status = provider.status([JobId(job)])[JobId(job)]
    assert outcome(status) == SAID[name, job]
    assert status.word
    assert not provider.trouble


@pytest.mark.parametrize(
    ("name", "job", "reason"),
    [
        ("slurm", "10", "Resources"),
        ("slurm", "1", "NonZeroExitCode"),
        ("gridengine", "5", "in error: `qstat -j 5` says why"),
        ("gridengine", "31", "qmaster enforced h_rt, h_cpu, or h_vmem limit"),
        ("pbs", "42634.pbs1", "Not Running: Insufficient amount of resource: ncpus (R: 96 A: 48 T: 4608)"),
        ("lsf", "22001", "New job is waiting for scheduling;"),
        ("lsf", "22005", "TERM_RUNLIMIT: job killed after reaching LSF run time limit"),
        ("htcondor", "14.0", "Error from slot1@worker2.example.org: memory usage exceeded request_memory"),
        ("htcondor", "17.0", "via condor_rm (by user ana)"),
    ],
)
def test_the_batch_systems_reason_is_kept_as_it_wrote_it(name: str, job: str, reason: str) -> None:
    provider = BatchProvider(PROVIDERS.find(name), SESSIONS[name]())
    assert provider.status([JobId(job)])[JobId(job)].reason == reason


@pytest.mark.parametrize(
    ("name", "job", "started", "ended"),
    [
        ("slurm", "1", 1795627985, 1795627986),
        ("slurm", "2", 1795627985, None),
        ("slurm", "10", None, None),
        ("gridengine", "1", 1795627988, 1795627988),
        ("gridengine", "2", 1795627988, None),
        ("pbs", "42636.pbs1", 1790744620, 1790744680),
        ("htcondor", "17.0", 1616890500, 1616890600),
    ],
)
def test_times_are_seconds_since_the_epoch(name: str, job: str, started: float, ended: float) -> None:
    provider = BatchProvider(PROVIDERS.find(name), SESSIONS[name]())
    status = provider.status([JobId(job)])[JobId(job)]
    assert (status.started_at, status.ended_at) == (started, ended)


@pytest.mark.parametrize(("job", "expected"), [("10", 1795629016), ("11", None), ("2", None)])
def test_slurm_says_when_it_means_to_start_a_job(job: str, expected: float | None) -> None:
    provider = BatchProvider(PROVIDERS.find("slurm"), SESSIONS["slurm"]())
    assert provider.status([JobId(job)])[JobId(job)].expected_at == expected


@pytest.mark.parametrize(
    ("name", "text", "job"),
    [
        ("slurm", "7\n", "7"),
        ("slurm", "7;cluster\n", "7"),
        ("slurm", "", None),
        ("gridengine", "Your project is over its quota.\n7\n", "7"),
        ("gridengine", "", None),
        ("pbs", "1234.pbs1\n", "1234.pbs1"),
        ("pbs", "qsub: waiting\n", None),
        ("lsf", "Job <771278> is submitted to default queue <short>.\n", "771278"),
        ("lsf", "Request aborted by esub. Job not submitted.\n", None),
        ("htcondor", "12.0 - 12.0\n", "12.0"),
        ("htcondor", "", None),
    ],
)
def test_the_id_of_a_job_is_read_from_the_answer(name: str, text: str, job: str | None) -> None:
    assert PROVIDERS.find(name).parse_submit(text) == job


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize(
    "text", ["", "\n", "Welcome!\n", "<p>Bad Gateway</p>", '{"RECORDS": [', "[1, 2]", "{}"]
)
def test_F15_what_is_no_answer_is_no_news(name: str, text: str) -> None:
    for query in PROVIDERS.find(name).queries:
        if query.parse.__name__ == "parse_qacct":
            continue  # nothing is how qacct says that it knows none of the jobs
        with pytest.raises(Unreadable):
            query.parse(text)


@pytest.mark.parametrize("name", SYSTEMS)
def test_F15_an_answer_that_was_cut_off_says_nothing_wrong(name: str) -> None:
    for query in PROVIDERS.find(name).queries:
        for path in (RECORDED / name).glob("*.*"):
            text = path.read_text()
            try:
                whole = query.parse(text)
            except Unreadable:
                continue  # it belongs to another command
            for end in range(0, len(text), 3):
                try:
                    reports = query.parse(text[:end])
                except Unreadable:
                    continue
                assert {job: whole[job] for job in reports} == reports


def test_the_slurm_completion_log_tells_what_the_queue_forgot() -> None:
    session = played(sacct="slurm/completion.txt")
    session.answers["squeue"] = Completed(1, "", "slurm_load_jobs error: Invalid job id specified\n")
    session.answers = {
        "squeue": session.answers["squeue"],
        "-X": Completed(1, "", "Slurm accounting storage is disabled\n"),
        "--completion": session.answers["sacct"],
    }
    provider = BatchProvider(PROVIDERS.find("slurm"), session)
    status = provider.status([JobId("1")])[JobId("1")]
    assert outcome(status) == (ENDED, EndCause.FAILED, 3, None, ("nb1",))
    assert not provider.trouble


@pytest.mark.parametrize(
    ("seconds", "cause"), [(29, EndCause.FAILED), (30, EndCause.TIMEOUT), (41, EndCause.TIMEOUT)]
)
def test_a_grid_engine_job_that_its_host_killed_at_its_walltime_is_told_apart(
    seconds: int, cause: EndCause
) -> None:
    text = (
        (RECORDED / "gridengine/qacct.txt").read_text().replace("ru_wallclock 0s", f"ru_wallclock {seconds}s")
    )
    status = parse_qacct(text.replace("maxvmem ", "category     -l h_rt=30\nmaxvmem "))[JobId("4")]
    assert (status.cause, status.signal) == (cause, 9)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("nb1", ("nb1",)),
        ("nb[1-2]", ("nb1", "nb2")),
        ("n[08-10,12],login", ("n08", "n09", "n10", "n12", "login")),
        ("r[1-2]-gpu", ("r1-gpu", "r2-gpu")),
        ("None assigned", ()),
        ("(null)", ()),
    ],
)
def test_slurm_lists_of_nodes_are_written_out(text: str, names: tuple[str, ...]) -> None:
    assert expand_nodes(text) == names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("slurm", "scancel: error: Kill job error on job id 5: Invalid job id specified"),
        ("gridengine", 'denied: job "5" does not exist'),
        ("pbs", "qdel: Unknown Job Id 5.pbs1"),
        ("pbs", "qdel: Job has finished 5.pbs1"),
        ("lsf", "Job <5>: Job has already finished"),
        ("htcondor", "Job 5.0 not found"),
    ],
)
def test_a_job_that_is_gone_is_cancelled_without_complaint(name: str, said: str) -> None:
    system = PROVIDERS.find(name)
    session = Played({system.cancel[0]: Completed(1, "", f"{said}\n")})
    BatchProvider(system, session).cancel([JobId("5")])
    session.answers = {system.cancel[0]: Completed(1, "", f"{said}\npermission denied\n")}
    with pytest.raises(ProviderError, match="permission denied"):
        BatchProvider(system, session).cancel([JobId("5")])


LISTS = {
    "pbs": "1234.pbs1\n",
    "lsf": (RECORDED / "lsf/bjobs.json").read_text(),
    "htcondor": (RECORDED / "htcondor/queue.json").read_text(),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_job_is_submitted_and_found_by_its_name(name: str) -> None:
    system = PROVIDERS.find(name)
    spec = JobSpec(name="nbf-0123456789", command=("true",))
    find = system.find.argv(spec.name)
    assert any(spec.name in word for word in find)
    session = Played(
        {
            system.submit(spec)[0]: Completed(1, "", "connection timed out"),
            find[0]: Completed(0, LISTS[name], ""),
        }
    )
    job = BatchProvider(system, session, pause=lambda seconds: None).submit(spec)
    assert job in ("1234.pbs1", "22001", "12.0")
    assert [command[0] for command in session.commands] == [system.submit(spec)[0], find[0]]
