from nbflow.core.states import State
from nbflow.journal.follower import StateChange
from nbflow.journal.rows import TaskRow
from nbflow.live.headline import Headline, Tally
from nbflow.live.model import RunModel, Summary
from nbflow.live.rate import Estimate


def summary(**counts: int) -> Summary:
    return Summary(tuple(counts.get(state.name, 0) for state in State))


def test_a_run_is_summed_up_in_words() -> None:
    headline = Headline(
        summary=summary(DONE=40, RUNNING=2, FAILED=1, WAITING=7),
        rate=12.4,
        estimate=Estimate(3, 2, 5),
    )
    assert (
        str(headline) == "40 of 50 tasks done, 2 running, 7 waiting, 1 failed, 12 tasks/s · about 3.0 s left"
    )
    assert headline.hint.startswith("between 2.0 s and 5.0 s")
    assert not headline.is_quiet


def test_slow_runs_are_counted_by_the_minute() -> None:
    assert Headline(summary=summary(RUNNING=1), rate=0.25).pace == "15.0 tasks/min"


def test_a_finished_run_says_how_long_it_took() -> None:
    headline = Headline(summary=summary(DONE=1), elapsed=75)
    assert str(headline) == "1 of 1 task done, finished in 1 min 15 s"
    assert headline.is_quiet
    assert Headline(summary=summary(DONE=1)).pace == "finished", "who counts once knows no time"


def test_a_run_that_ended_early_says_so() -> None:
    headline = Headline(summary=summary(DONE=1, WAITING=1), elapsed=2, is_over=True)
    assert headline.pace == "ended after 2.0 s"
    assert headline.hint == ""


def test_a_run_without_tasks_is_not_finished() -> None:
    headline = Tally().sum_up(RunModel(), now=0.0)
    assert headline.pace == ""
    assert not headline.is_quiet


def test_a_tally_follows_the_model() -> None:
    model, tally = RunModel(), Tally()
    model.add_tasks(
        TaskRow(task, task, 10.0, 1, "", "", State.DONE if task < 3 else State.RUNNING, None, None)
        for task in (1, 2, 3)
    )
    assert tally.sum_up(model, now=10.0).summary.finished == 2
    assert tally.sum_up(model, now=11.0, tasks=[1]).summary.total == 1


def test_the_time_of_a_run_leaves_out_the_pauses_between_its_tasks() -> None:
    model, tally = RunModel(), Tally()
    model.add_tasks([TaskRow(1, 1, 10.0, 1, "", "", State.RUNNING, None, None)])
    tally.sum_up(model, now=10.0)
    model.add_changes([StateChange(1, State.DONE, 12.0, 2.0)])
    assert tally.sum_up(model, now=12.0).elapsed == 2
    model.add_tasks([TaskRow(2, 3, 100.0, 1, "", "", State.RUNNING, None, None)])
    tally.sum_up(model, now=100.0)
    model.add_changes([StateChange(2, State.DONE, 103.0, 3.0)])
    assert tally.sum_up(model, now=103.0).pace == "finished in 5.0 s"
