"""How many blocks there should be: rules that always hold, and hours of simulated life."""

import string
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nbflow.core.scaling import (
    BACKOFF_LIMIT_SECONDS,
    Block,
    Cancel,
    Drain,
    Limits,
    Outlook,
    Phase,
    Queued,
    Request,
    Shape,
    decide,
)
from nbflow.core.task import ONE_CORE, Resources

from .cluster import Cluster

SHAPE = Shape(nodes=2, slots=4, total=Resources(cores=4, memory=100, gpus=2), walltime=3600.0)
LIMITS = Limits(init=0, max=10)
NOTHING = Outlook(since=0.0)
THERE = (Phase.PENDING, Phase.ACTIVE)


def queued(tasks: int, seconds: float = 0.0, need: Resources = ONE_CORE) -> Outlook:
    """Tasks of `seconds` each, of unknown length without."""
    unknown = 0 if seconds else tasks
    return Outlook((Queued(need, tasks, tasks * seconds, seconds, unknown),))


def block(id: str, phase: Phase = Phase.ACTIVE, since: float = 0.0, **more: float) -> Block:
    return Block(id=id, phase=phase, since=since, **more)  # type: ignore[arg-type]


def requests(outlook: Outlook, blocks: list[Block] | None = None, limits: Limits = LIMITS) -> int:
    return sum(isinstance(step, Request) for step in decide(outlook, blocks or [], limits, SHAPE, 0.0))


# What is asked for


@pytest.mark.parametrize(
    ("outlook", "wanted"),
    [
        (NOTHING, 0),
        (queued(1), 1),
        (queued(8), 1),
        (queued(9), 2),
        (queued(1000, 0.01), 1),
        (queued(1000, 1.0), 3),
        (queued(1000, 3600.0), 10),
        (queued(4, 600.0, Resources(gpus=1)), 1),
        (queued(5, 600.0, Resources(gpus=1)), 2),
        (queued(3, 600.0, Resources(memory=80)), 2),
        (queued(3, 600.0, Resources(nodes=2)), 3),
        (queued(3, 600.0, Resources(cores=5)), 0),
        (Outlook(running=9), 2),
    ],
)
def test_blocks_are_asked_for_as_what_is_queued_would_keep_them_busy(outlook: Outlook, wanted: int) -> None:
    assert requests(outlook) == wanted


def test_what_is_there_or_on_its_way_is_not_asked_for_again() -> None:
    assert requests(queued(24), [block("a"), block("b", Phase.PENDING)]) == 1


def test_the_first_blocks_are_asked_for_before_there_is_work_and_only_then() -> None:
    limits = Limits(init=3, max=5)
    assert requests(NOTHING, limits=limits) == 3
    assert requests(NOTHING, [block("a", Phase.ENDED)], limits=limits) == 0


def test_a_block_that_drains_takes_room_until_it_has_ended() -> None:
    limits = Limits(init=0, min=1, max=1)
    assert requests(queued(1), [block("a", Phase.DRAINING)], limits) == 0
    assert requests(queued(1), [block("a", Phase.ENDED)], limits) == 1


def test_a_block_without_time_for_what_is_queued_does_not_count_for_it() -> None:
    assert requests(queued(1, 600.0), [block("a", until=700.0)]) == 1
    assert requests(queued(1, 600.0), [block("a", until=800.0)]) == 0
    assert requests(queued(1), [block("a", until=200.0)]) == 1, "of unknown length"


def test_an_idle_block_without_time_makes_way_when_there_may_be_no_more() -> None:
    [step] = decide(queued(1, 600.0), [block("a", until=500.0)], Limits(max=1), SHAPE, 0.0)
    assert isinstance(step, Drain)
    assert "too short" in step.reason


# What is given up


def test_an_idle_block_is_drained_after_its_time_and_says_so() -> None:
    idle = block("a", idle_since=0.0)
    assert decide(NOTHING, [idle], LIMITS, SHAPE, 119.0) == []
    assert decide(NOTHING, [idle], LIMITS, SHAPE, 120.0) == [Drain("a", "it has been idle for 120 s")]


def test_a_block_whose_walltime_ends_is_drained_and_replaced_while_there_is_work() -> None:
    ending = block("a", busy=3, until=20.0)
    steps = decide(queued(3, 60.0), [ending], LIMITS, SHAPE, 0.0)
    assert [type(step) for step in steps] == [Drain, Request]
    assert [type(step) for step in decide(NOTHING, [ending], LIMITS, SHAPE, 0.0)] == [Drain]


def test_a_pause_of_the_user_costs_no_place_in_the_queue() -> None:
    waiting = block("a", Phase.PENDING)
    assert decide(Outlook(since=100.0), [waiting], LIMITS, SHAPE, 160.0) == []
    assert decide(Outlook(since=100.0), [waiting], LIMITS, SHAPE, 220.0) == [
        Cancel("a", "nothing is left to do for it")
    ]


def test_pending_blocks_are_cancelled_when_the_tasks_turn_out_to_be_short() -> None:
    blocks = [block("a"), *(block(name, Phase.PENDING, since=ord(name)) for name in "bcdef")]
    steps = decide(queued(1000, 0.01), blocks, LIMITS, SHAPE, 200.0)
    assert [step.block for step in steps if isinstance(step, Cancel)] == ["f", "e", "d", "c", "b"]


def test_with_fewer_allowed_pending_go_first_then_those_with_least_to_do() -> None:
    blocks = [block("a", busy=2), block("b", busy=1), block("c", Phase.PENDING), block("d")]
    steps = decide(Outlook(running=3), blocks, Limits(max=1), SHAPE, 0.0)
    assert [(type(step), step.block) for step in steps if not isinstance(step, Request)] == [
        (Cancel, "c"),
        (Drain, "d"),
        (Drain, "b"),
    ]


# What fails


def test_after_failures_it_is_tried_again_later_and_later_and_with_one() -> None:
    def due(failures: int) -> int:
        blocks = [block(str(n), Phase.FAILED) for n in range(failures)]
        return next(at for at in range(10_000) if decide(queued(100, 600.0), blocks, LIMITS, SHAPE, at))

    assert [due(n) for n in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert due(50) == BACKOFF_LIMIT_SECONDS
    assert len(decide(queued(100, 600.0), [block("a", Phase.FAILED)], LIMITS, SHAPE, 5.0)) == 1
    recovered = [block("a", Phase.FAILED), block("b")]
    assert len(decide(queued(100, 600.0), recovered, LIMITS, SHAPE, 0.0)) > 1


# What always holds

seconds = st.floats(0.0, 5000.0)
phases = st.sampled_from(Phase)
needs = st.builds(Resources, cores=st.integers(1, 4), gpus=st.integers(0, 2), nodes=st.integers(1, 2))
outlooks = st.builds(
    lambda queue, running: Outlook(tuple(queue), running, None if queue or running else 0.0),
    st.lists(
        st.builds(
            lambda need, tasks, each, unknown: Queued(need, tasks, tasks * each, each, min(tasks, unknown)),
            needs,
            st.integers(1, 10_000),
            seconds,
            st.integers(0, 100),
        ),
        max_size=3,
    ),
    st.integers(0, 100),
)
limits = st.builds(
    lambda low, more, init: Limits(init, low, low + more),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 9),
)


@st.composite
def states(draw: st.DrawFn) -> list[Block]:
    found = []
    for name in draw(st.text(string.ascii_letters, max_size=12).map(dict.fromkeys)):
        phase = draw(phases)
        busy = draw(st.integers(0, 8)) if phase in (Phase.ACTIVE, Phase.DRAINING) else 0
        found.append(
            Block(
                id=name,
                phase=phase,
                since=draw(seconds),
                busy=busy,
                idle_since=None if busy else draw(seconds),
                until=draw(st.none() | st.floats(5000.0, 9000.0)),
            )
        )
    return found


@given(outlooks, states(), limits)
def test_a_decision_keeps_the_limits_and_touches_what_it_may(
    outlook: Outlook, blocks: list[Block], limits: Limits
) -> None:
    now = 5000.0
    steps = decide(outlook, blocks, limits, SHAPE, now)
    by_id = {block.id: block for block in blocks}
    asked = sum(isinstance(step, Request) for step in steps)
    given_up = [by_id[step.block] for step in steps if not isinstance(step, Request)]
    assert len({block.id for block in given_up}) == len(given_up), "nothing is given up twice"
    for step in steps:
        assert step.reason
        if not isinstance(step, Request):
            expected = Phase.PENDING if isinstance(step, Cancel) else Phase.ACTIVE
            assert by_id[step.block].phase is expected
    taking_room = [block for block in blocks if block.phase in (*THERE, Phase.DRAINING)]
    if asked:
        cancelled = sum(isinstance(step, Cancel) for step in steps)
        assert len(taking_room) - cancelled + asked <= limits.max
    before = [block for block in blocks if block.phase in THERE]
    ending = [block for block in given_up if block.until is not None and block.until - now <= 30]
    for_surplus = len(given_up) - len(ending)
    if for_surplus and not any("too short" in step.reason for step in steps):
        assert len(before) - len(given_up) >= min(limits.min, len(before) - len(ending))
    kept_idle = [
        block for block in before if block not in given_up and block.phase is Phase.ACTIVE and not block.busy
    ]
    if kept_idle:
        assert all(not block.busy or block in ending for block in given_up), "idle ones go first"


@given(st.integers(0, 20), states(), limits)
def test_without_demand_it_ends_with_the_least_and_with_any_there_is_a_block(
    tasks: int, blocks: list[Block], limits: Limits
) -> None:
    assume(limits.max > 0)
    idle = [replace(block, busy=0, idle_since=block.idle_since or 5000.0) for block in blocks]
    cluster = Cluster(SHAPE, limits, blocks=idle)
    cluster.now = 5000.0
    # They stay queued: so it is seen what is kept for them.
    outlook = queued(tasks, 100.0) if tasks else Outlook(since=5000.0)
    for _ in range(200):
        cluster.turn(10.0, outlook)
    there = sum(block.phase in THERE for block in cluster.blocks)
    assert there == limits.min if not tasks else there >= max(1, limits.min)
    assert there <= limits.max


# Hours of life


def test_a_steady_load_is_carried_by_the_same_blocks_until_their_walltime_ends() -> None:
    cluster = Cluster(SHAPE, LIMITS, queue_seconds=120.0)
    for minute in range(6 * 60):
        cluster.submit(8, 60.0)
        cluster.run(60.0)
        assert cluster.count(*THERE) <= 4, f"after {minute} minutes"
    assert cluster.requested <= 6 * 3 + 3, "about two blocks an hour, with one in reserve as one ends"
    assert cluster.done >= 8 * (6 * 60 - 10)


def test_bursts_do_not_make_blocks_come_and_go() -> None:
    cluster = Cluster(SHAPE, Limits(init=0, max=4, idle_seconds=120.0), queue_seconds=30.0)
    for _ in range(60):
        cluster.submit(32, 20.0)
        cluster.run(60.0)  # pauses are shorter than what a block may be idle
    assert cluster.cancelled <= 1
    assert cluster.requested <= 12, "four at most, and those that replace them when their hour is over"
    cluster.run(600.0)
    assert cluster.count(*THERE, Phase.DRAINING) == 0


def test_rare_bursts_give_everything_back_in_between() -> None:
    cluster = Cluster(SHAPE, Limits(init=0, max=4), queue_seconds=30.0)
    for burst in range(1, 6):
        cluster.submit(32, 60.0)
        cluster.run(1800.0)
        assert cluster.done == 32 * burst
        assert cluster.count(*THERE, Phase.DRAINING) == 0
    assert cluster.requested == 5 * 4


def test_a_slow_queue_is_asked_once() -> None:
    cluster = Cluster(SHAPE, Limits(init=0, max=3), queue_seconds=3 * 3600.0)
    cluster.submit(20, 600.0)
    cluster.run(4 * 3600.0)
    assert (cluster.requested, cluster.done) == (3, 20)


def test_what_cannot_be_had_is_asked_for_ever_more_rarely_and_taken_when_it_can() -> None:
    cluster = Cluster(SHAPE, Limits(init=0, max=3))
    cluster.is_broken = True
    cluster.submit(20, 60.0)
    cluster.run(3600.0)
    assert cluster.requested <= 15
    cluster.is_broken = False
    cluster.run(1800.0)
    assert cluster.done == 20


def test_a_task_longer_than_what_is_left_waits_for_a_new_block_and_ends() -> None:
    cluster = Cluster(SHAPE, Limits(init=0, max=1))
    cluster.submit(1, 1500.0)
    cluster.run(1600.0)
    cluster.submit(1, 2500.0)
    cluster.run(3 * 3600.0)
    assert cluster.done == 2
