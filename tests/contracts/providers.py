"""What every provider promises, as one test class: each driver's tests subclass it."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from nbflow.errors import ProviderError, SiteError, SubmitUncertain
from nbflow.providers.batch import BatchProvider
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus, job_name
from nbflow.providers.system import BatchSystem
from nbflow.sites.local import LocalSession
from nbflow.sites.session import Completed, Session
from tests.contracts.executors import Life, life

__all__ = ["Bench", "ProviderContract", "life"]

PATIENCE = 150.0
POLL_SECONDS = 0.3

NOISE = (
    Completed(0, "", ""),
    Completed(0, "Welcome to the cluster!\nMaintenance on Monday.\n", ""),
    Completed(0, '{"RECORDS": [{"JOB', ""),
    Completed(1, "", "error: unable to contact the controller"),
    Completed(127, "", "command not found"),
    SiteError("the connection was lost"),
)

Fault = Callable[[Sequence[str], Callable[[], Completed]], Completed]


class Bench:
    """Be a session whose commands are counted and can go wrong."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.commands: list[Sequence[str]] = []
        self.fault: Fault = lambda argv, run: run()

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float | None = None
    ) -> Completed:
        self.commands.append(argv)
        return self.fault(argv, lambda: self._session.run(argv, input=input, timeout_seconds=timeout_seconds))

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)


def answer(noise: Completed | Exception) -> Completed:
    if isinstance(noise, Exception):
        raise noise
    return noise


class ProviderContract:
    """Subclass this with `system`, and `walltime_seconds` where a walltime's end comes in reasonable time."""

    walltime_seconds: int | None = None
    refused: JobSpec | None = None
    """A job that the batch system does not take."""

    def system(self, folder: Path) -> BatchSystem:
        raise NotImplementedError

    def spec(self, *command: str, **options: object) -> JobSpec:
        return JobSpec(name=job_name("nbf", secrets.token_hex(5)), command=command, **options)

    def sleeper(self, folder: Path) -> JobSpec:
        """Return a job that sleeps, and says so: what is killed while it logs in can leave a mess behind."""
        return self.spec("bash", "-c", "touch awake; exec sleep 600", directory=str(folder))

    def submit_sleeper(self, provider: BatchProvider, folder: Path) -> JobId:
        """Return the id of a job that sleeps by now."""
        folder.mkdir(exist_ok=True)
        job = provider.submit(self.sleeper(folder))
        wait_for_file(folder / "awake")
        return job

    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(LocalSession())

    @pytest.fixture
    def make(self, bench: Bench, tmp_path: Path) -> Callable[[], BatchProvider]:
        system = self.system(tmp_path / "jobs")
        return lambda: BatchProvider(system, bench, pause=lambda seconds: None)

    @pytest.fixture
    def provider(self, make: Callable[[], BatchProvider]) -> Iterator[BatchProvider]:
        provider = make()
        jobs: list[JobId] = []
        submit = provider.submit
        provider.submit = lambda spec: jobs.append(submit(spec)) or jobs[-1]
        yield provider
        provider.cancel(jobs)
        for job in jobs:
            wait_for(provider, job, JobState.ENDED)

    def test_a_job_completes_and_tells_where_and_when(self, provider: BatchProvider) -> None:
        status = wait_for(provider, provider.submit(self.spec("true")), JobState.ENDED)
        assert (status.cause, status.exit_code, status.signal) == (EndCause.COMPLETED, 0, None)
        assert status.nodes
        assert status.word
        assert status.started_at is not None
        assert status.ended_at is not None
        assert abs(status.started_at - time.time()) < 3600
        assert status.started_at <= status.ended_at

    def test_an_exit_code_is_kept(self, provider: BatchProvider) -> None:
        status = wait_for(provider, provider.submit(self.spec("bash", "-c", "exit 3")), JobState.ENDED)
        assert (status.cause, status.exit_code, status.signal) == (EndCause.FAILED, 3, None)

    def test_a_signal_is_kept(self, provider: BatchProvider) -> None:
        status = wait_for(provider, provider.submit(self.spec("bash", "-c", "kill -9 $$")), JobState.ENDED)
        assert (status.cause, status.exit_code, status.signal) == (EndCause.FAILED, None, 9)

    def test_B3_argv_environment_and_directory_arrive_byte_for_byte(
        self, provider: BatchProvider, tmp_path: Path
    ) -> None:
        nasty = [
            "",
            "$HOME `id` $(id) \\",
            "it's \"\n#$ -N x\n#PBS -q y\n",
            "\t*?[a]~!#;&|<>",
            "é\udcff\u2028",
            "%j",
        ]
        place = tmp_path / "a b$c'\n"
        place.mkdir()
        program = (
            "import os, sys; seen = [*sys.argv[1:], os.environ['NASTY']]; "
            "open('seen', 'wb').write(b'\\0'.join(map(os.fsencode, seen)))"
        )
        spec = self.spec(
            sys.executable,
            "-c",
            program,
            *nasty,
            environment={"NASTY": nasty[2]},
            directory=str(place),
            setup=("export UNUSED=$(echo 'set-up runs' >before)",),
        )
        assert wait_for(provider, provider.submit(spec), JobState.ENDED).cause is EndCause.COMPLETED
        seen = (place / "seen").read_bytes().split(b"\0")
        assert seen == [word.encode("utf-8", "surrogateescape") for word in [*nasty, nasty[2]]]
        assert (place / "before").exists()

    def test_output_is_kept_where_it_was_wanted(self, provider: BatchProvider, tmp_path: Path) -> None:
        spec = self.spec("bash", "-c", "echo out; echo err >&2", stdout=str(tmp_path / "both"))
        apart = self.spec(*spec.command, stdout=str(tmp_path / "out"), stderr=str(tmp_path / "err"))
        for job in (provider.submit(spec), provider.submit(apart)):
            wait_for(provider, job, JobState.ENDED)
        assert sorted((tmp_path / "both").read_text().split()) == ["err", "out"]
        assert (tmp_path / "out").read_text() == "out\n"
        assert (tmp_path / "err").read_text() == "err\n"

    def test_a_cancelled_job_ends_with_all_its_processes(self, provider: BatchProvider, life: Life) -> None:
        line = f"sleep 600 >{life.path} & (echo -n ! >{life.path}); sleep 600"
        job = provider.submit(self.spec("bash", "-c", line))
        life.wait_for_start()
        provider.cancel([job])
        assert wait_for(provider, job, JobState.ENDED).cause is EndCause.CANCELLED
        assert life.is_over()

    def test_cancelling_what_has_ended_or_never_was_is_fine(self, provider: BatchProvider) -> None:
        job = provider.submit(self.spec("true"))
        wait_for(provider, job, JobState.ENDED)
        provider.cancel([job, self.nobody(job)])
        provider.cancel([])
        assert provider.status([job])[job].cause is EndCause.COMPLETED

    def nobody(self, job: JobId) -> JobId:
        """Return an id like this one that no job has."""
        return JobId("999999")

    def test_many_jobs_are_polled_with_one_command_for_each_source(
        self, provider: BatchProvider, bench: Bench, tmp_path: Path
    ) -> None:
        jobs = [self.submit_sleeper(provider, tmp_path / str(number)) for number in range(3)]
        del bench.commands[:]
        provider.status(jobs)
        assert len(bench.commands) == 1
        provider.cancel(jobs)
        assert len(bench.commands) == 2

    def test_states_only_move_forward(self, provider: BatchProvider) -> None:
        job = provider.submit(self.spec("sleep", "1"))
        seen = [provider.status([job])[job].state]
        deadline = time.monotonic() + PATIENCE
        while seen[-1] is not JobState.ENDED and time.monotonic() < deadline:
            seen.append(provider.status([job])[job].state)
            time.sleep(0.1)
        assert seen == sorted(seen)
        assert seen[-1] is JobState.ENDED

    def test_F15_what_is_no_answer_changes_nothing(
        self, provider: BatchProvider, bench: Bench, tmp_path: Path
    ) -> None:
        job = self.submit_sleeper(provider, tmp_path)
        known = wait_for(provider, job, JobState.ACTIVE)
        for noise in NOISE:
            bench.fault = lambda argv, run, noise=noise: answer(noise)
            for _ in range(5):
                assert provider.status([job])[job] == known
                assert provider.trouble
        bench.fault = lambda argv, run: run()
        assert provider.status([job])[job].state is JobState.ACTIVE
        assert not provider.trouble

    def test_F15_a_job_whose_id_was_lost_is_found_by_its_name(
        self, provider: BatchProvider, bench: Bench, tmp_path: Path
    ) -> None:
        handed_in = []

        def lose_the_answer(argv: Sequence[str], run: Callable[[], Completed]) -> Completed:
            done = run()
            if handed_in:
                return done
            handed_in.append(done)
            raise SiteError("no answer within 60 s")

        bench.fault = lose_the_answer
        job = self.submit_sleeper(provider, tmp_path)
        assert str(job) in handed_in[0].stdout
        assert wait_for(provider, job, JobState.ACTIVE).state is JobState.ACTIVE

    def test_F15_a_submit_that_got_lost_can_be_repeated_and_makes_one_job(
        self, provider: BatchProvider, bench: Bench, tmp_path: Path
    ) -> None:
        spec = self.spec("bash", "-c", f"echo ran >>{tmp_path}/runs")
        bench.fault = lambda argv, run: answer(SiteError("the connection was lost"))
        with pytest.raises(SubmitUncertain, match=spec.name):
            provider.submit(spec)
        bench.fault = lambda argv, run: run()
        job = provider.submit(spec)
        assert wait_for(provider, job, JobState.ENDED).cause is EndCause.COMPLETED
        assert (tmp_path / "runs").read_text() == "ran\n"

    def test_another_provider_knows_the_job_after_a_restart(
        self, provider: BatchProvider, make: Callable[[], BatchProvider], tmp_path: Path
    ) -> None:
        job = self.submit_sleeper(provider, tmp_path)
        wait_for(provider, job, JobState.ACTIVE)
        later = make()
        assert later.status([job])[job].state is JobState.ACTIVE
        later.cancel([job])
        assert wait_for(later, job, JobState.ENDED).cause is EndCause.CANCELLED

    def test_the_end_of_the_walltime_is_named(self, provider: BatchProvider) -> None:
        if self.walltime_seconds is None:
            pytest.skip("this batch system takes more than a minute to end a job at its walltime")
        job = provider.submit(self.spec("sleep", "600", walltime_seconds=self.walltime_seconds))
        assert wait_for(provider, job, JobState.ENDED).cause is EndCause.TIMEOUT

    def test_a_refused_job_is_told_in_the_batch_systems_words(self, provider: BatchProvider) -> None:
        if self.refused is None:
            pytest.skip("this batch system takes every job")
        with pytest.raises(ProviderError, match=self.refused.partition) as raised:
            provider.submit(self.refused)
        assert not isinstance(raised.value, SubmitUncertain)


def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"there is still no {path}"
        time.sleep(0.1)


def wait_for(provider: BatchProvider, job: JobId, state: JobState) -> JobStatus:
    deadline = time.monotonic() + PATIENCE
    while True:
        status = provider.status([job])[job]
        if status.state >= state:
            return status
        assert time.monotonic() < deadline, f"still {status}; {provider.trouble}"
        time.sleep(POLL_SECONDS)
