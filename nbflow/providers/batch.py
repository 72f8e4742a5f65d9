"""Own the talk with a batch system over a session: when to ask what, and what to believe."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final, final

from nbflow.errors import AuthExpired, ProviderError, SiteError, SubmitUncertain
from nbflow.providers.job import JobId, JobSpec, JobState, JobStatus
from nbflow.providers.system import BatchSystem, Find, Query, Reports, Unreadable
from nbflow.providers.tracker import Track, follow, follow_absence
from nbflow.sites.session import Completed, Session

__all__ = ["BatchProvider"]

COMMAND_SECONDS: Final = 60.0

LOOK_PAUSES_SECONDS: Final = (0.0, 1.0, 3.0)
"""Between looks for a job whose id was lost: a slow batch system lists it a little later."""

NO_VERDICT: Final = re.compile(r"tim(ed|e) ?out|unable to contact|connect|communicat", re.IGNORECASE)
"""A command that failed this way did not hear whether its job was accepted."""


@final
class BatchProvider:
    """Be the provider of any batch system that is a table.

    `trouble` says why the last poll could not be trusted; it is empty when it could.
    """

    def __init__(
        self,
        system: BatchSystem,
        session: Session,
        before: tuple[str, ...] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.trouble = ""
        self._system = system
        self._session = session
        self._before = before
        self._clock = clock
        self._pause = pause
        self._tracks: dict[JobId, Track] = {}
        self._uncertain: set[str] = set()

    def submit(self, spec: JobSpec) -> JobId:
        """Have a job queued, and return its id; see Provider for what is raised."""
        script = self._system.render(spec).encode("utf-8", "surrogateescape")
        may_exist = spec.may_exist or spec.name in self._uncertain
        job = self._look_for(spec.name) if may_exist else None
        if job is None:
            self._uncertain.add(spec.name)  # until an answer came; an interrupt may fall in between
            job = self._hand_in(spec, script)
        self._uncertain.discard(spec.name)
        return job

    def status(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Return what is known of each of the jobs, after one poll for those that have not ended."""
        tracks = {job: self._tracks.setdefault(job, Track()) for job in jobs}
        lasting = [job for job, track in tracks.items() if track.status.state is not JobState.ENDED]
        if lasting:
            self._poll(lasting)
        return {job: self._tracks[job].status for job in tracks}

    def cancel(self, jobs: Collection[JobId]) -> None:
        """Have jobs ended, pending or active; those that have ended are passed over."""
        lasting = [job for job in jobs if self._mark_cancelled(job)]
        if not lasting:
            return
        done = self._run((*self._system.cancel, *lasting))
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        if done.exit_code and not (said and all(map(self._system.gone.search, said))):
            raise ProviderError(f"{self._system.title} refused to cancel {' '.join(lasting)}: {_words(done)}")

    def _mark_cancelled(self, job: JobId) -> bool:
        status = self._tracks.get(job, Track()).status
        if status.state is JobState.ENDED:
            return False
        self._tracks[job] = Track(status=status, is_cancelled=True)
        return True

    def _hand_in(self, spec: JobSpec, script: bytes) -> JobId:
        argv = self._system.submit(spec)
        try:
            done = self._run(argv, script)
        except AuthExpired:
            raise
        except SiteError as error:
            said = str(error)
        else:
            job = self._system.parse_submit(done.stdout) if done.exit_code == 0 else None
            if job is not None:
                return job
            said = _words(done)
            if done.exit_code and not NO_VERDICT.search(said):
                self._uncertain.discard(spec.name)
                raise ProviderError(f"{self._system.title} refused job {spec.name}: {said}")
        for seconds in LOOK_PAUSES_SECONDS:
            self._pause(seconds)
            job = self._look_for(spec.name)
            if job is not None:
                return job
        raise SubmitUncertain(
            f"{self._system.title} did not say whether it took job {spec.name}, and does not list it: {said}"
        )

    def _look_for(self, name: str) -> JobId | None:
        """Return the id of the job with this name; None when there is none. Raises SubmitUncertain."""
        find = self._system.find
        try:
            done = self._run(find.argv(name))
            answer = _answer(done, find)
            found = find.parse(answer, name) if answer or done.exit_code == 0 else ()
        except AuthExpired:
            raise
        except (SiteError, Unreadable) as error:
            raise SubmitUncertain(
                f"{self._system.title} may have taken job {name} and cannot be asked: {error}"
            ) from error
        return found[0] if found else None

    def _poll(self, jobs: Collection[JobId]) -> None:
        """Ask for jobs; a job is believed missing only when every source answered, and none had it."""
        self.trouble = ""
        missing = list(jobs)
        for query in self._system.queries:
            try:
                reports = self._ask(query, missing)
            except Unreadable as error:
                self.trouble = str(error)
                continue
            for job in reports.keys() & set(missing):
                self._tracks[job] = follow(self._tracks[job], reports[job])
                missing.remove(job)
            if not missing:
                return
        if not self.trouble:
            now = self._clock()
            for job in missing:
                self._tracks[job] = follow_absence(self._tracks[job], now)

    def _ask(self, query: Query, jobs: Collection[JobId]) -> Reports:
        try:
            done = self._run(query.argv(sorted(jobs)))
        except AuthExpired:
            raise
        except SiteError as error:
            raise Unreadable(str(error)) from error
        answer = _answer(done, query)
        return query.parse(answer) if answer or done.exit_code == 0 else {}

    def _run(self, argv: tuple[str, ...], content: bytes = b"") -> Completed:
        return self._session.run((*self._before, *argv), input=content, timeout_seconds=COMMAND_SECONDS)


def _answer(done: Completed, source: Query | Find) -> str:
    """Return what a command wrote. Raises Unreadable when it failed without an answer."""
    if done.exit_code and not source.none.search(done.stderr):
        raise Unreadable(_words(done))
    return done.stdout


def _words(done: Completed) -> str:
    said = (done.stderr.strip() or done.stdout.strip())[-2000:]
    return f"exit code {done.exit_code}: {said}" if said else f"exit code {done.exit_code}, and no word"
