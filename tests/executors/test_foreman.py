"""Blocks, decided by a clock that runs and a batch system that is a script of answers."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from nbflow.core import scaling
from nbflow.core.ids import ExecutorId
from nbflow.core.scaling import Limits, Outlook, Phase, Queued
from nbflow.core.states import Cause
from nbflow.core.task import ONE_CORE
from nbflow.errors import ConfigError, ProviderError, SiteError, SubmitUncertain
from nbflow.executors.pilots.berth import RECORD, Owner, Record, take_berth
from nbflow.executors.pilots.blocks import Block, Stage, cause_of, describe_end
from nbflow.executors.pilots.foreman import Foreman
from nbflow.executors.pilots.plan import Plan
from nbflow.executors.pilots.standing import describe_block, describe_site
from nbflow.executors.pilots.waits import expected_wait
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.sites.model import LOCAL, BlockLimits, BlockShape, Scheduler
from nbflow.sites.setup import in_setup

WORK = Outlook((Queued(ONE_CORE, 100, 0.0, 0.0, 100),), 0, None)


class FakeProvider:
    def __init__(self) -> None:
        self.jobs: dict[JobId, JobStatus] = {}
        self.specs: list[JobSpec] = []
        self.cancelled: list[JobId] = []
        self.refuses = False
        self.trouble = ""

    def submit(self, spec: JobSpec) -> JobId:
        self.specs.append(spec)
        if self.refuses:
            raise ProviderError("sbatch: no such account")
        job = JobId(str(len(self.specs)))
        self.jobs[job] = JobStatus(state=JobState.PENDING, word="PD", reason="Priority")
        return job

    def status(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        return {job: self.jobs[job] for job in jobs}

    def cancel(self, jobs: Collection[JobId]) -> None:
        for job in jobs:
            self.cancelled.append(job)
            self.jobs[job] = JobStatus(state=JobState.ENDED, cause=EndCause.CANCELLED)


class FakeLanes:
    def __init__(self) -> None:
        self.ended: list[tuple[str, Cause, str]] = []
        self.drained: list[str] = []

    def nodes(self) -> list:
        return []

    def end(self, block: str, cause: Cause, reason: str) -> None:
        self.ended.append((block, cause, reason))

    def drain(self, block: str) -> None:
        self.drained.append(block)

    def expect_end(self, block: str, until: float) -> None: ...
    def allow(self, entry: object) -> None: ...


class Yard:
    def __init__(self, folder: Path, **limits: int) -> None:
        self.folder = folder
        site = replace(
            LOCAL,
            scheduler=Scheduler.SLURM,
            block=BlockShape(workers_per_node=2, walltime_seconds=60),
            limits=BlockLimits(**limits),
        )
        self.provider, self.lanes = FakeProvider(), FakeLanes()
        self.berth = take_berth(folder, Owner(notebook="n", label="yard", site="yard", host=""))
        self.berth.update(directory="/work")
        plan = Plan(site=site, poll_seconds=0.01, idle_seconds=0.05)
        self.foreman = Foreman(
            ExecutorId("yard"),
            plan,
            self.provider,
            lambda: self.lanes,  # type: ignore[arg-type, return-value]
            self.berth,
        )

    def wait_until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.005)

    @property
    def stages(self) -> list[str]:
        return [block.stage for block in list(self.foreman.blocks.values())]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path, max_blocks=2)
    yard.foreman.start()
    yield yard
    yard.foreman.close()
    assert all(status.state is JobState.ENDED for status in yard.provider.jobs.values())


def test_work_brings_blocks_and_the_queue_s_reason_is_kept(yard: Yard) -> None:
    time.sleep(0.05)
    assert yard.stages == []
    yard.foreman.demand(WORK)
    yard.wait_until(lambda: yard.stages == ["pending", "pending"])
    assert {block.reason for block in yard.foreman.blocks.values()} == {"Priority"}


def test_a_job_that_ends_takes_its_block_along_with_the_cause(yard: Yard) -> None:
    yard.foreman.demand(WORK)
    yard.wait_until(lambda: len(yard.provider.jobs) == 2)
    name = next(iter(yard.foreman.blocks))
    yard.provider.jobs[JobId("1")] = JobStatus(state=JobState.ACTIVE, word="R")
    yard.wait_until(lambda: yard.stages[0] == "active")
    yard.foreman.tell(name, "up", "nb1-1")
    yard.wait_until(lambda: bool(yard.foreman.blocks[name].nodes))
    yard.provider.jobs[JobId("1")] = JobStatus(state=JobState.ENDED, cause=EndCause.NODE_FAIL)
    yard.wait_until(lambda: bool(yard.lanes.ended))
    assert yard.lanes.ended[0] == (name, Cause.EXPIRED, "its job ended: node failure")
    yard.wait_until(lambda: len(yard.provider.specs) == 3)


def test_F15_what_the_batch_system_refuses_is_said_and_not_asked_again_at_once(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    yard.provider.refuses = True
    yard.foreman.demand(WORK)
    yard.wait_until(lambda: "no such account" in yard.foreman.trouble)
    time.sleep(0.1)
    assert len(yard.provider.specs) <= 2
    assert "no such account" in caplog.text


def test_a_refused_environment_ends_the_asking(yard: Yard) -> None:
    yard.foreman.demand(WORK)
    yard.wait_until(lambda: len(yard.provider.jobs) == 2)
    yard.foreman.tell(next(iter(yard.foreman.blocks)), "refused", "Python is 3.9 there and 3.11 here")
    yard.wait_until(lambda: sorted(yard.provider.cancelled) == ["1", "2"])
    assert "3.9" in yard.foreman.trouble


def test_a_number_that_was_asked_for_stays_whatever_there_is_to_do(yard: Yard) -> None:
    yard.foreman.scale(1)
    yard.wait_until(lambda: yard.stages == ["pending"])
    yard.foreman.scale(0)
    yard.wait_until(lambda: yard.provider.cancelled == ["1"])


@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (JobStatus(cause=EndCause.TIMEOUT), Cause.EXPIRED, "its job ended: timeout"),
        (JobStatus(cause=EndCause.OUT_OF_MEMORY), Cause.OOM, "its job ended: out of memory"),
        (JobStatus(cause=EndCause.FAILED, exit_code=3), Cause.LOST, "its job ended: failed, exit code 3"),
        (
            JobStatus(cause=EndCause.CANCELLED, exit_code=1, reason="None"),
            Cause.EXPIRED,
            "its job ended: cancelled",
        ),
    ],
)
def test_how_a_job_ended_decides_what_its_calls_pay(status: JobStatus, cause: Cause, words: str) -> None:
    assert cause_of(status) is cause
    assert describe_end(status) == words


def test_a_walltime_counts_from_when_the_job_began() -> None:
    block = Block("b", 0.0, walltime=100.0)
    block.follow(JobStatus(state=JobState.ACTIVE, started_at=990.0), now=5.0, clock=1000.0)
    assert block.ends_at == 95.0
    other = Block("b", 0.0, walltime=100.0)
    other.follow(JobStatus(state=JobState.ACTIVE, started_at=1.0), now=5.0, clock=1000.0)
    assert other.ends_at == 105.0, "a clock that is wrong is not believed"


def test_a_block_whose_nodes_are_gone_does_not_count() -> None:
    block = Block("b", 0.0, stage=Stage.ACTIVE, has_come_up=True, nodes=["n"])
    assert block.as_seen().phase is Phase.ACTIVE
    block.nodes.clear()
    assert block.as_seen().phase is Phase.ENDED


def test_the_job_of_a_block_says_no_key_and_whose_it_is() -> None:
    spec = Plan(site=LOCAL).job("nbf-1", "/work")
    assert spec.environment["NBFLOW_BLOCK"] == "nbf-1"
    assert spec.command[1:] == (
        "-m",
        "ipyparallel.engine",
        "--file=/work/security/ipcontroller-engine.json",
    )


def test_set_up_lines_run_before_what_is_started_at_a_site() -> None:
    site = replace(LOCAL, setup=("module load python",), python="python3.11")
    plan = Plan(site=site)
    assert plan.module("there", "word") == (*in_setup(site), "python3.11", "-m", "there", "word")
    assert plan.before_commands == in_setup(site)
    assert Plan(site=LOCAL).before_commands == ()


def test_a_name_that_nobody_knows_is_told_with_what_there_is() -> None:
    import nbflow as nf

    with pytest.raises(ConfigError, match=r"no executor and no site 'proceses'.*processes"):
        nf.load("proceses")


def test_F15_a_job_that_may_have_been_accepted_is_asked_for_again_under_its_name(yard: Yard) -> None:
    accept, uncertain = yard.provider.submit, ["first", "second"]

    def submit(spec: JobSpec) -> JobId:
        if uncertain:
            yard.provider.specs.append(spec)
            raise SubmitUncertain(f"sbatch said nothing: {uncertain.pop()}")
        return accept(spec)

    yard.provider.submit = submit  # type: ignore[method-assign]
    yard.foreman.scale(1)
    yard.wait_until(lambda: yard.stages == ["pending"])
    assert len({spec.name for spec in yard.provider.specs}) == 1


def test_a_cancellation_that_fails_is_tried_again(yard: Yard) -> None:
    cancel, refusals = yard.provider.cancel, [1, 2]

    def refuse(jobs: Collection[JobId]) -> None:
        if jobs and refusals:
            refusals.pop()
            raise ProviderError("scancel: timed out")
        cancel(jobs)

    yard.provider.cancel = refuse  # type: ignore[method-assign]
    yard.foreman.scale(1)
    yard.wait_until(lambda: yard.stages == ["pending"])
    yard.foreman.scale(0)
    yard.wait_until(lambda: yard.provider.cancelled == ["1"])


def test_the_wait_of_a_block_is_what_others_took_and_a_late_one_takes_as_long_again() -> None:
    young, late = Block("a", since=90.0), Block("b", since=40.0)
    gone = Block("c", since=40.0, stage=Stage.ENDED, expected_at=1_001.0)
    assert expected_wait([], (), 100.0, 1_000.0) is None
    assert expected_wait([young], (), 100.0, 1_000.0) is None
    assert expected_wait([gone], (20.0, 90.0, 30.0), 100.0, 1_000.0) == 30.0
    assert expected_wait([young, gone], (30.0,), 100.0, 1_000.0) == 20.0
    assert expected_wait([late], (30.0,), 100.0, 1_000.0) == 60.0


def test_the_batch_systems_own_word_on_a_wait_counts_more() -> None:
    block = Block("a", since=90.0)
    block.follow(JobStatus(state=JobState.PENDING, expected_at=1_500.0), now=90.0, clock=990.0)
    assert expected_wait([block], (30.0,), 100.0, 1_000.0) == 500.0
    assert expected_wait([block], (30.0,), 700.0, 1_600.0) == 610.0, "what it said has passed"


def test_the_next_kernel_knows_the_waits_that_were_measured(yard: Yard) -> None:
    assert yard.foreman.wait_seconds is None
    yard.foreman.scale(1)
    yard.wait_until(lambda: yard.stages == ["pending"])
    yard.foreman.tell(next(iter(yard.foreman.blocks)), "up", "nb1-1")
    yard.wait_until(lambda: yard.foreman.wait_seconds is not None)
    record = yard.berth.record
    assert record.waits == Record.read((yard.berth.directory / RECORD).read_text()).waits
    assert yard.foreman.wait_seconds == record.waits[0] > 0


def test_a_block_says_what_it_waits_for_and_how_long_yet() -> None:
    block = Block("a", since=90.0)
    assert describe_block(block, (), 100.0, 1_000.0) == "its job is handed in"
    block.follow(JobStatus(state=JobState.PENDING, word="PD", reason="Priority"), now=95.0, clock=995.0)
    assert describe_block(block, (400.0,), 100.0, 1_000.0) == "Priority; expected in about 6 min 30 s"
    block.follow(JobStatus(state=JobState.ACTIVE), now=98.0, clock=998.0)
    assert describe_block(block, (), 100.0, 1_000.0) == "its job runs, its pilot is coming up"
    block.enter(Stage.ENDED, "its job ended: timeout", 99.0)
    assert describe_block(block, (400.0,), 100.0, 1_000.0) == "its job ended: timeout"


def test_a_site_without_a_block_says_why() -> None:
    limits, ended = Limits(max=1), Block("a", since=100.0, stage=Stage.ENDED)
    assert describe_site([], limits, Outlook(), "", 100.0) == "nothing is queued for it"
    assert describe_site([ended], limits, WORK, "", 100.0) == "one is about to be asked for"
    assert describe_site([], Limits(max=0), WORK, "", 100.0).startswith("none is wanted: nbflow.scale(1)")
    assert describe_site([Block("b", since=90.0)], limits, WORK, "", 100.0) == ""
    refused = describe_site([ended], limits, WORK, "sbatch: no such account", 101.0)
    assert refused == "sbatch: no such account; the next try is in 4.0 s"


def test_what_is_wrong_at_a_site_is_told_until_it_is_mended(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "BACKOFF_SECONDS", 0.5)
    yard.provider.refuses = True
    yard.foreman.demand(WORK)
    yard.wait_until(lambda: "no such account" in yard.foreman.standing)
    assert "the next try is in" in yard.foreman.standing
    yard.provider.refuses = False
    yard.wait_until(lambda: "pending" in yard.stages)
    assert "no such account" in yard.foreman.standing, "it waits, and none was had as yet"
    yard.provider.trouble = "squeue: timed out"
    yard.foreman.tell(next(block.name for block in yard.foreman.blocks.values() if block.job), "up", "nb1")
    yard.wait_until(lambda: "no such account" not in yard.foreman.standing)
    assert yard.foreman.standing == "the batch system gives no good answer: squeue: timed out"
    yard.provider.trouble = ""
    assert yard.foreman.standing == ""


def test_a_site_that_cannot_be_reached_says_so_until_it_can(yard: Yard) -> None:
    status = yard.provider.status

    def unreachable(jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        raise SiteError("cluster cannot be reached")

    yard.foreman.scale(1)
    yard.wait_until(lambda: yard.stages == ["pending"])
    yard.provider.status = unreachable  # type: ignore[method-assign]
    yard.wait_until(lambda: yard.foreman.standing == "cluster cannot be reached")
    yard.provider.status = status  # type: ignore[method-assign]
    yard.wait_until(lambda: yard.foreman.standing == "")
