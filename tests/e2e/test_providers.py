"""Providers against real batch systems, and against the processes of this machine."""

import os
from pathlib import Path

import pytest

from nbflow.providers.batch import BatchProvider
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState
from nbflow.providers.system import BatchSystem
from nbflow.providers.systems.gridengine import GRIDENGINE
from nbflow.providers.systems.local import local_system
from nbflow.providers.systems.slurm import SLURM
from tests.contracts.providers import ProviderContract, life, wait_for

from .services import Service

__all__ = ["life"]


class TestLocal(ProviderContract):
    walltime_seconds = 1

    def system(self, folder: Path) -> BatchSystem:
        return local_system(str(folder))

    def nobody(self, job: JobId) -> JobId:
        return JobId("nbf-nobody")

    def test_a_killed_supervisor_is_a_lost_job_and_nothing_is_left_running(
        self, provider: BatchProvider, tmp_path: Path, life
    ) -> None:
        import json
        import signal

        job = provider.submit(self.spec("bash", "-c", f"echo -n ! >{life.path}; exec sleep 600 >{life.path}"))
        life.wait_for_start()
        record = json.loads((tmp_path / "jobs" / job / "job.json").read_text())
        os.kill(record["supervisor"], signal.SIGKILL)
        status = wait_for(provider, job, JobState.ENDED)
        assert status.cause is EndCause.UNKNOWN
        assert "supervisor" in status.reason
        assert life.is_over()

    def test_its_records_are_for_this_user_only(self, provider: BatchProvider, tmp_path: Path) -> None:
        job = provider.submit(self.spec("true"))
        for folder in (tmp_path / "jobs", tmp_path / "jobs" / job):
            assert folder.stat().st_mode & 0o777 == 0o700


class TestSlurm(ProviderContract):
    refused = JobSpec(name="nbf-refused", command=("true",), partition="nosuch")

    @pytest.fixture(autouse=True)
    def cluster(self, slurm: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in slurm.env.items():
            monkeypatch.setenv(name, value)

    def system(self, folder: Path) -> BatchSystem:
        return SLURM

    def test_srun_starts_one_process_on_each_of_two_nodes(
        self, provider: BatchProvider, tmp_path: Path
    ) -> None:
        line = 'echo $SLURM_NODEID $SLURM_PROCID $A >"out$SLURM_PROCID"'
        spec = self.spec(
            "bash", "-c", line, nodes=2, launcher="srun", directory=str(tmp_path), environment={"A": "x y"}
        )
        status = wait_for(provider, provider.submit(spec), JobState.ENDED)
        assert status.cause is EndCause.COMPLETED
        assert status.nodes == ("nb1", "nb2")
        assert [(tmp_path / f"out{rank}").read_text() for rank in range(2)] == ["0 0 x y\n", "1 1 x y\n"]

    def test_a_waiting_job_tells_the_queues_reason(self, provider: BatchProvider) -> None:
        job = provider.submit(self.spec("true", nodes=5))
        status = wait_for(provider, job, JobState.PENDING)
        assert (status.state, status.word) == (JobState.PENDING, "PENDING")
        assert status.reason
        assert status.started_at is None

    def test_nothing_of_the_submitters_environment_gets_into_a_job(
        self, provider: BatchProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CANARY_TOKEN", "secret")
        job = provider.submit(self.spec("env", stdout=str(tmp_path / "env")))
        wait_for(provider, job, JobState.ENDED)
        seen = (tmp_path / "env").read_text()
        assert "PATH=" in seen
        assert "secret" not in seen


class TestGridEngine(ProviderContract):
    walltime_seconds = 5
    refused = JobSpec(name="nbf-refused", command=("true",), partition="nosuch")

    @pytest.fixture(autouse=True)
    def cluster(self, gridengine: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in gridengine.env.items():
            monkeypatch.setenv(name, value)

    def system(self, folder: Path) -> BatchSystem:
        return GRIDENGINE
