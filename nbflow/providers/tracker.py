"""Own how reports about a job become what is known of it: forward only. Pure; time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, final

from nbflow.providers.job import EndCause, JobState, JobStatus

__all__ = ["GRACE_SECONDS", "Track", "follow", "follow_absence"]

GRACE_SECONDS: Final = 60.0
"""So long a batch system may not list a job before it is believed to be gone.

Ended jobs are missing for some seconds between the queue and the accounting, and after a fail-over of the
batch system's server.
"""

LEAST_ABSENCES: Final = 3

VAGUE: Final = frozenset({EndCause.FAILED, EndCause.UNKNOWN})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Keep what is known of one job between polls."""

    status: JobStatus = field(default_factory=JobStatus)
    is_cancelled: bool = False
    """Somebody here asked for its end."""
    absences: int = 0
    absent_since: float = 0.0


def follow(track: Track, report: JobStatus) -> Track:
    """Return what is known after a report of the batch system.

    A job does not go back: the report of a restarted job, or of an older moment, tells its word and reason
    only.
    """
    known = track.status
    if known.state is JobState.ENDED and known.cause is not EndCause.UNKNOWN:
        return track
    if report.state < known.state:
        if known.state is not JobState.ENDED:
            known = replace(known, word=report.word, reason=report.reason)
        return replace(track, status=known, absences=0)
    if track.is_cancelled and report.cause in VAGUE:
        report = replace(report, cause=EndCause.CANCELLED)
    return replace(track, status=_with_places(report, known), absences=0)


def follow_absence(track: Track, now: float) -> Track:
    """Return what is known after a sound answer of the batch system in which the job is missing.

    `now` is in seconds of a clock that only goes forward.
    """
    if track.status.state is JobState.ENDED:
        return track
    since = track.absent_since if track.absences else now
    absences = track.absences + 1
    # A job that is cancelled before it ran leaves no record in some batch systems: no need to wait for one.
    if absences < LEAST_ABSENCES or (now - since < GRACE_SECONDS and not track.is_cancelled):
        return replace(track, absences=absences, absent_since=since)
    if track.is_cancelled:
        cause, reason = EndCause.CANCELLED, "cancelled here"
    else:
        cause, reason = EndCause.UNKNOWN, f"the batch system has not listed it for {now - since:.0f} s"
    return replace(track, status=replace(track.status, state=JobState.ENDED, cause=cause, reason=reason))


def _with_places(report: JobStatus, known: JobStatus) -> JobStatus:
    """Keep what an earlier report knew and this one leaves out."""
    return replace(
        report,
        nodes=report.nodes or known.nodes,
        started_at=known.started_at if report.started_at is None else report.started_at,
    )
