"""States only move forward, whatever order reports come in."""

from hypothesis import given
from hypothesis import strategies as st

from nbflow.providers.job import EndCause, JobState, JobStatus
from nbflow.providers.tracker import GRACE_SECONDS, Track, follow, follow_absence

PENDING = JobStatus(state=JobState.PENDING, word="PD", reason="Priority")
ACTIVE = JobStatus(state=JobState.ACTIVE, word="R", nodes=("n1",), started_at=5.0)
DONE = JobStatus(state=JobState.ENDED, cause=EndCause.COMPLETED, word="CD", exit_code=0)
FAILED = JobStatus(state=JobState.ENDED, cause=EndCause.FAILED, word="F", signal=9)
ODD = JobStatus(word="NEW_WORD")

REPORTS = st.sampled_from([PENDING, ACTIVE, DONE, FAILED, ODD, None])


@given(reports=st.lists(REPORTS), is_cancelled=st.booleans())
def test_states_only_move_forward_and_an_end_is_final(
    reports: list[JobStatus | None], is_cancelled: bool
) -> None:
    track = Track(is_cancelled=is_cancelled)
    for now, report in enumerate(reports):
        before = track.status
        track = follow(track, report) if report else follow_absence(track, now * 25.0)
        assert track.status.state >= before.state
        if before.state is JobState.ENDED and before.cause is not EndCause.UNKNOWN:
            assert track.status == before


def test_a_restarted_job_stays_active_and_tells_why() -> None:
    status = follow(Track(status=ACTIVE), PENDING).status
    assert (status.state, status.word, status.reason) == (JobState.ACTIVE, "PD", "Priority")
    assert status.nodes == ("n1",)


def test_an_end_keeps_where_and_when_it_ran() -> None:
    status = follow(Track(status=ACTIVE), DONE).status
    assert (status.nodes, status.started_at, status.exit_code) == (("n1",), 5.0, 0)


def test_F15_a_missing_job_is_believed_gone_only_after_time_and_several_answers() -> None:
    track = follow_absence(Track(status=ACTIVE), 0.0)
    assert follow_absence(track, GRACE_SECONDS).status == ACTIVE  # long, but twice only
    for now in range(1, 10):
        track = follow_absence(track, float(now))
    assert track.status == ACTIVE  # often, but not long
    gone = follow_absence(track, GRACE_SECONDS).status
    assert (gone.state, gone.cause) == (JobState.ENDED, EndCause.UNKNOWN)
    assert "60 s" in gone.reason


def test_F15_a_job_that_shows_up_again_starts_the_wait_anew() -> None:
    track = Track(status=ACTIVE)
    for now in (0.0, 30.0):
        track = follow_absence(track, now)
    track = follow(track, ACTIVE)
    for now in (60.0, 70.0, 80.0):
        track = follow_absence(track, now)
    assert track.status == ACTIVE


def test_a_late_record_tells_the_cause_of_an_end() -> None:
    gone = JobStatus(state=JobState.ENDED, cause=EndCause.UNKNOWN)
    assert follow(Track(status=gone), DONE).status.cause is EndCause.COMPLETED


def test_a_cancelled_job_that_is_missing_or_was_killed_is_cancelled() -> None:
    track = Track(status=PENDING, is_cancelled=True)
    for now in (0.0, 1.0, 2.0):
        assert track.status == PENDING
        track = follow_absence(track, now)
    assert track.status.cause is EndCause.CANCELLED
    assert follow(Track(status=ACTIVE, is_cancelled=True), FAILED).status.cause is EndCause.CANCELLED
    assert follow(Track(status=ACTIVE, is_cancelled=True), DONE).status.cause is EndCause.COMPLETED
