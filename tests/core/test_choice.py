"""Which executor a task goes to: by when it is expected to end there, by a simulated clock."""

import pytest

from nbflow.core.choice import Offer, describe, faster_than, is_worth, prefer, seconds_through
from nbflow.core.ids import ExecutorId, TaskId
from nbflow.core.task import Resources

from .race import Place, Race, submit_layers

X, Y, Z = (ExecutorId(name) for name in "xyz")
FOREVER = float("inf")


# Words of the choice


def test_the_shortest_run_time_is_preferred_and_the_order_where_they_are_about_equal() -> None:
    assert prefer([Offer(X, 2.0, 1), Offer(Y, 1.0, 1)]).executor == Y
    assert prefer([Offer(X, 1.05, 1), Offer(Y, 1.0, 1)]).executor == X
    assert prefer([Offer(X, None, 1), Offer(Y, None, 1)]).executor == X
    assert prefer([Offer(X, 5e-5, 1), Offer(Y, 1e-6, 1)]).executor == X, "the way there costs more"


def test_work_goes_through_several_places_as_water_fills_vessels() -> None:
    one = Offer(X, 1.0, 2, first=1.0, mean=1.0)
    assert seconds_through([one], 10) == 6.0
    assert seconds_through([one, Offer(Y, 1.0, 2, first=3.0, mean=3.0)], 10) == 4.5
    assert seconds_through([one, Offer(Y, 1.0, 50, first=9.0, mean=9.0)], 10) == 6.0
    assert seconds_through([one], 1) == 2.0, "no task ends before one could start and run"
    assert seconds_through([Offer(X, 1.0, 2, first=FOREVER, mean=FOREVER)], 1) == FOREVER


def test_a_slow_free_slot_is_worth_it_when_the_queue_is_long() -> None:
    slow, fast = Offer(X, 10.0, 1), Offer(Y, 1.0, 1, first=0.5, mean=0.5)
    assert faster_than(slow, [fast, Offer(Z, 9.5, 1, first=1.0)]) == [fast]
    assert not is_worth(slow, [fast], 5)
    assert is_worth(slow, [fast], 20)


def test_a_choice_is_told_in_one_bounded_line_the_chosen_first() -> None:
    offers = [
        Offer(X, 90.0, 4, first=30.0, mean=60.0),
        Offer(Y, 1.25, 4),
        Offer(Z, None, 4, first=FOREVER, mean=FOREVER),
    ]
    assert describe(offers, offers[1], 7) == (
        "y was free at once, takes 1.2 s, would end in 1.2 s; "
        "x was free in about 30 s, takes 1 min 30 s, would end in 2 min; "
        "z had no node, and none was in sight; 7 queued"
    )
    many = [Offer(ExecutorId(f"site{n}"), 1.0, 1) for n in range(50)]
    assert len(describe(many, many[0], 10**9)) < 600


# By the clock

FAST = Place("fast", 4, (1.0, 1.0))
SLOW = Place("slow", 8, (5.0, 5.0))


@pytest.mark.parametrize(
    ("near", "far"),
    [
        (FAST, SLOW),
        (SLOW, FAST),
        (FAST, Place("far", 4, (0.9, 3.0))),
        (Place("near", 2, (4.0, 4.0)), Place("far", 16, (1.0, 1.0), wait=60.0)),
    ],
    ids=["fast first", "slow first", "each better at one", "one that has to be waited for"],
)
def test_two_places_finish_a_graph_earlier_than_either_alone(near: Place, far: Place) -> None:
    def seconds(*places: Place) -> float:
        race = Race(*places)
        submit_layers(race, 500, width=100, apps=2)
        end = race.run()
        assert sum(race.ran.values()) == 500
        assert all(race.ran[place.name] for place in places)
        return end

    together = seconds(near, far)
    assert together < seconds(near)
    assert together < seconds(far)


def test_many_slow_slots_help_where_nothing_waits_for_what_they_do() -> None:
    def seconds(*places: Place) -> float:
        race = Race(*places)
        for id in range(1, 501):
            race.submit(id)
        return race.run()

    crowd = Place("crowd", 200, (20.0,))
    assert seconds(FAST, crowd) < min(seconds(FAST), seconds(crowd))


def test_a_fast_idle_machine_is_never_left_for_a_slow_one() -> None:
    race = Race(SLOW, FAST)
    last = race.submit(1)
    for id in range(2, 60):
        last = race.submit(id, last)
    end = race.run()
    assert race.ran == {"slow": 1, "fast": 58}, "the first call, which nobody had measured, may go anywhere"
    assert end == 5.0 + 58


def test_the_end_of_a_queue_waits_for_the_fast_place() -> None:
    race = Race(Place("fast", 1, (1.0,)), Place("slow", 1, (30.0,)))
    for id in range(1, 4):
        race.submit(id)
    race.run()
    assert race.ran["slow"] >= 1
    before = race.now
    for id in range(11, 21):
        race.submit(id)
    assert race.run() - before <= 10.5, "ten in a row are over before the slow place had done one"


def test_a_place_that_is_stuck_is_not_waited_for_for_ever() -> None:
    race = Race(Place("fast", 1, (1.0, 10_000.0)), Place("slow", 1, (30.0, 30.0)))
    for id in range(1, 4):
        race.submit(id)
    race.run()
    stuck_at = race.now
    race.placement.learn(race.submit(11, app=2).app, 1.0, ExecutorId("fast"))
    race.submit(12)
    race.run()
    assert race.began[TaskId(12)] - stuck_at < 100


def test_a_place_that_a_task_does_not_want_is_not_kept_for_it() -> None:
    race = Race(Place("slow", 1, (30.0,)), Place("fast", 1, (1.0,)))
    for id in range(1, 4):
        race.submit(id)
    race.run()
    free_at = race.now
    for id in range(11, 14):
        race.submit(id)
    only_there = race.submit(20, priority=-1, executors=frozenset({ExecutorId("slow")}))
    race.run()
    assert race.began[only_there.id] == free_at
    assert race.began[TaskId(13)] == free_at + 2.0


def test_a_block_in_a_long_queue_is_not_waited_for_and_a_near_one_is() -> None:
    def local_share(wait: float) -> int:
        race = Race(Place("local", 2, (100.0,)), Place("site", 50, (10.0,), wait=wait))
        race.placement.learn(race.submit(1).app, 100.0, ExecutorId("local"))
        race.placement.learn(race.graph.tasks[TaskId(1)].app, 10.0, ExecutorId("site"))
        for id in range(2, 21):
            race.submit(id)
        race.run()
        return race.ran["local"]

    assert local_share(wait=20.0) == 0
    assert local_share(wait=150.0) >= 2
    assert local_share(wait=10_000.0) == 20


def test_only_what_can_run_there_goes_there() -> None:
    race = Race(Place("small", 2, (1.0,)), Place("large", 8, (50.0,)))
    for id in range(1, 11):
        race.submit(id, need=Resources(cores=4))
    race.run()
    assert race.ran == {"large": 10}
    assert not race.why, "there was no choice"


def test_it_is_the_same_every_time() -> None:
    def ran() -> dict[str, int]:
        race = Race(FAST, SLOW)
        submit_layers(race, 300, width=30, apps=2)
        race.run()
        return dict(race.ran)

    assert ran() == ran()


def test_a_choice_says_why() -> None:
    race = Race(FAST, SLOW)
    for id in range(1, 30):
        race.submit(id)
    race.run()
    assert race.why[TaskId(1)].startswith("fast was free at once, run time unknown; slow")
    assert "takes 1.0 s, would end in 1.0 s" in race.why[TaskId(29)]
