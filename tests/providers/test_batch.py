"""When a batch system is asked what, and what is believed, with a session whose answers are written here."""

from collections.abc import Sequence

import pytest

from nbflow.errors import AuthExpired, ConfigError, ProviderError, SiteError, SubmitUncertain
from nbflow.providers.batch import BatchProvider
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState
from nbflow.providers.registry import open_provider, provider_names
from nbflow.providers.system import BatchSystem
from nbflow.providers.systems.slurm import SLURM
from nbflow.sites.session import Completed

SPEC = JobSpec(name="nbf-0123456789", command=("true",))
HEADER = "JOBID|STATE|REASON|NODELIST|START_TIME|END_TIME|EXIT_CODE|\n"
DISABLED = Completed(1, "", "Slurm accounting storage is disabled\n")
NOBODY = Completed(0, HEADER, "")
LATE = Completed(1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")

A, B = JobId("1"), JobId("2")


def row(job: str, state: str, code: int = 0) -> Completed:
    return Completed(0, f"{HEADER}{job}|{state}|None|nb1|100|200|{code}|\n", "")


class Scripted:
    """Answer commands by name, each time with the next of its answers; the last one stays."""

    def __init__(self, **answers: Completed | Exception | list[Completed | Exception]) -> None:
        self.answers = {name: one if isinstance(one, list) else [one] for name, one in answers.items()}
        self.commands: list[str] = []

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float | None = None
    ) -> Completed:
        name = next(word for word in argv if word in self.answers or word == "sacct")
        self.commands.append(name)
        if name not in self.answers:
            return DISABLED
        answers = self.answers[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def provider(session: Scripted, clock: Clock | None = None, system: BatchSystem = SLURM) -> BatchProvider:
    clock = clock or Clock()
    return BatchProvider(system, session, clock=clock, pause=clock.wait)


def test_an_accepted_job_is_not_looked_for() -> None:
    session = Scripted(sbatch=Completed(0, "1\n", ""))
    assert provider(session).submit(SPEC) == A
    assert session.commands == ["sbatch"]


def test_a_refused_job_is_not_looked_for_and_told_in_the_batch_systems_words() -> None:
    session = Scripted(sbatch=Completed(1, "", "sbatch: error: invalid partition specified: x"))
    with pytest.raises(ProviderError, match=r"Slurm refused job nbf-0123456789.*invalid partition") as raised:
        provider(session).submit(SPEC)
    assert not isinstance(raised.value, SubmitUncertain)
    assert session.commands == ["sbatch"]


@pytest.mark.parametrize(
    "answer", [LATE, SiteError("did not end within 60 s"), Completed(0, "", ""), Completed(0, "Hello!\n", "")]
)
def test_F15_a_job_without_an_id_is_looked_for_until_it_shows(answer: Completed | Exception) -> None:
    session = Scripted(sbatch=answer, squeue=[NOBODY, NOBODY, row("1", "PENDING")])
    assert provider(session).submit(SPEC) == A
    assert session.commands == ["sbatch", "squeue", "squeue", "squeue"]


def test_F15_a_repeated_submit_looks_first_and_makes_no_second_job() -> None:
    session = Scripted(sbatch=LATE, squeue=[NOBODY, NOBODY, NOBODY, row("1", "RUNNING")])
    slurm = provider(session)
    with pytest.raises(SubmitUncertain, match="nbf-0123456789"):
        slurm.submit(SPEC)
    assert slurm.submit(SPEC) == A
    assert session.commands.count("sbatch") == 1


@pytest.mark.parametrize("answer", [SiteError("no way"), Completed(0, "", ""), Completed(1, "", "no server")])
def test_F15_nothing_is_submitted_again_while_nobody_can_be_asked(answer: Completed | Exception) -> None:
    session = Scripted(sbatch=LATE, squeue=answer)
    slurm = provider(session)
    for _ in range(2):
        with pytest.raises(SubmitUncertain, match="cannot be asked"):
            slurm.submit(SPEC)
    assert session.commands.count("sbatch") == 1


def test_F15_a_job_that_the_batch_system_lost_ends_after_a_while() -> None:
    clock = Clock()
    slurm = provider(Scripted(squeue=[row("1", "RUNNING"), NOBODY]), clock)
    states = []
    for _ in range(6):
        states.append(slurm.status([A])[A].state)
        clock.wait(20)
    assert states == [JobState.ACTIVE] * 4 + [JobState.ENDED] * 2
    assert slurm.status([A])[A].cause is EndCause.UNKNOWN


def test_F15_a_job_is_not_missing_while_one_source_is_silent() -> None:
    clock = Clock()
    silent = Completed(1, "", "sacct: error: Problem talking to the database: Connection refused")
    slurm = provider(Scripted(squeue=[row("1", "RUNNING"), NOBODY], sacct=silent), clock)
    for _ in range(9):
        assert slurm.status([A])[A].state is JobState.ACTIVE
        clock.wait(60)
    assert "Connection refused" in slurm.trouble


def test_jobs_that_ended_are_not_asked_for_again() -> None:
    session = Scripted(squeue=row("1", "FAILED", 768))
    slurm = provider(session)
    for _ in range(3):
        status = slurm.status([A])[A]
    assert (status.cause, status.exit_code, status.word) == (EndCause.FAILED, 3, "FAILED")
    assert session.commands == ["squeue"]
    slurm.cancel([A])
    assert session.commands == ["squeue"]


def test_a_new_word_of_the_batch_system_is_shown_and_changes_nothing() -> None:
    slurm = provider(Scripted(squeue=[row("1", "RUNNING"), row("1", "ENTANGLED")]))
    slurm.status([A])
    status = slurm.status([A])[A]
    assert (status.state, status.word) == (JobState.ACTIVE, "ENTANGLED")


def test_a_job_of_which_nothing_was_heard_is_unknown() -> None:
    status = provider(Scripted(squeue=NOBODY)).status([A, B])
    assert {job: one.state for job, one in status.items()} == {A: JobState.UNKNOWN, B: JobState.UNKNOWN}


def test_an_ended_login_is_for_a_person_and_gets_out() -> None:
    gone = AuthExpired("log in again")
    slurm = provider(Scripted(squeue=gone, sbatch=gone, scancel=gone))
    for act in (lambda: slurm.submit(SPEC), lambda: slurm.status([A]), lambda: slurm.cancel([A])):
        with pytest.raises(AuthExpired):
            act()


def test_all_providers_can_be_opened_and_a_wrong_name_gets_a_hint() -> None:
    for name in provider_names():
        assert open_provider(name, Scripted()).status([]) == {}
    with pytest.raises(ConfigError, match=r"there is no provider 'slrum'.*Did you mean 'slurm'"):
        open_provider("slrum", Scripted())
