"""Every order in which things can happen to small graphs, as far as a budget of steps reaches.

A graph is played again from its beginning for each sequence of choices: what may happen next is what the core
has asked for and was not answered yet, what is said again, and what a user asks for. After each of them a
future is open exactly while its task is; at every end all tasks must still be able to finish.
"""

from collections.abc import Iterator, Sequence

import pytest

from nbflow.core.effects import (
    Drop,
    Effect,
    Enqueue,
    LookUp,
    Reject,
    Reopen,
    Resolve,
    StageIn,
    StageOut,
    WakeLater,
    Withdraw,
)
from nbflow.core.events import (
    CancelRequested,
    Dispatched,
    Event,
    MemoHit,
    MemoMissed,
    Paused,
    Released,
    Resumed,
    RetryDue,
    RetryRequested,
    Returned,
    Spawned,
    StagedIn,
    StagedOut,
    StagingFailed,
    Submitted,
    TryFailed,
    Undone,
)
from nbflow.core.former import Former
from nbflow.core.graph import Graph
from nbflow.core.retry import RetryPolicy
from nbflow.core.states import REOPENABLE, Cause, State
from nbflow.core.task import Options, Task

from .build import BOOM, SLOT, make_task

Shape = tuple[tuple[int, ...], ...]
"""The parents of each task, by index."""

SHAPES: dict[str, Shape] = {
    "two": ((), (0,)),
    "fan-in": ((), (), (0, 1)),
    "fan-out": ((), (0,), (0,)),
    "chain": ((), (0,), (1,)),
}
KINDS = {
    "plain": Options(),
    "memoized": Options(memoized=True),
    "staged": Options(stages_in=True, stages_out=True),
    "retried": Options(retry=RetryPolicy(count=1)),
    "holding": Options(holds=True),
    "patient": Options(memoized=True, stages_in=True, retry=RetryPolicy(count=1, delay=1)),
}


WISHES = (CancelRequested, Paused, Resumed, Released, RetryRequested)
"""What users ask of one task, beside the taking back of a retry."""


class Player:
    """One small graph, and the list of what may happen to it next."""

    def __init__(
        self, shape: Shape, options: Options, *, is_join: bool, users: int, follows: bool = False
    ) -> None:
        self.graph = Graph(lambda task, event: None)
        self.tasks: list[Task] = []
        self.open: set[int] = set()
        self.asked: list[tuple[str, Task, int]] = []
        self.reported: list[Event] = []
        self.is_join = is_join
        self.users = users
        self.follows = follows
        self.formers: list[Former] = []
        for parents in shape:
            task = make_task(len(self.tasks) + 1, *(self.tasks[at] for at in parents), options=options)
            self.tasks.append(task)
            self.open.add(task.id)
            self.apply(Submitted(task.id, task))

    def apply(self, event: Event) -> None:
        for effect in self._undo() if isinstance(event, Undone) else self.graph.apply(event):
            task = effect.task
            match effect:
                case Resolve() | Reject() | Withdraw():
                    assert task.id in self.open, f"{task} is settled twice"
                    self.open.remove(task.id)
                case Reopen():
                    assert task.id not in self.open, f"{task} is reopened while open"
                    self.open.add(task.id)
                case Drop():
                    self.asked = [one for one in self.asked if one[1:] != (task, effect.try_id)]
                case Enqueue() | LookUp() | StageIn() | StageOut() | WakeLater():
                    ask = (type(effect).__name__, task, task.try_id)
                    assert ask not in self.asked, f"{ask} is asked for twice"
                    self.asked.append(ask)
        for task in self.tasks:
            assert (task.id in self.open) is not task.state.is_final, f"{task} and its future disagree"
            needed = task.children or task.parents
            assert task.awaiting == sum(other.state is not State.DONE for other in needed)

    def _retry(self, event: RetryRequested) -> None:
        closed = [Former.of(task, task.call) for task in self.tasks if task.state in REOPENABLE]
        self.apply(event)
        reopened = [former for former in closed if former.task.try_id != former.try_id]
        self.formers = reopened or self.formers

    def _undo(self) -> list[Effect]:
        formers, self.formers = self.formers, []
        effects = self.graph.undo(formers)
        for former in formers:
            task = former.task
            assert (task.state, task.failure) == (former.state, former.failure)
        return effects

    def choices(self) -> Iterator[tuple[str, Event]]:
        """Yield what may happen next, each with a word for it."""
        for ask in list(self.asked):
            for event in self._answers(*ask):
                yield f"{type(event).__name__} {ask[1].id}", event
        for event in self.reported:
            yield f"again {type(event).__name__} {event.task}", event
        if self.follows:
            for task in self.tasks:
                if task.state is State.WAITING and self._is_behind_parents(task):
                    yield f"ahead {task.id}", Dispatched(task.id, task.try_id, SLOT)
        if self.users:
            yield from self._wishes()

    def _wishes(self) -> Iterator[tuple[str, Event]]:
        for task in self.tasks:
            for kind in WISHES:
                yield f"{kind.__name__} {task.id}", kind(task.id)
        if self.formers:
            yield "undo", Undone(self.formers[0].task.id, self.formers[0])

    def _is_behind_parents(self, task: Task) -> bool:
        return all(
            parent.state is State.DONE or ("running", parent, parent.try_id) in self.asked
            for parent in task.parents
        )

    def _answers(self, what: str, task: Task, try_id: int) -> Iterator[Event]:
        id = task.id
        match what:
            case "Enqueue":
                if task.state is State.QUEUED:
                    yield Dispatched(id, try_id, SLOT)
            case "LookUp":
                yield MemoHit(id, try_id, "remembered")
                yield MemoMissed(id, try_id)
            case "StageIn" | "StageOut":
                yield (StagedIn if what == "StageIn" else StagedOut)(id, try_id)
                yield StagingFailed(id, try_id, BOOM)
            case "WakeLater":
                yield RetryDue(id, try_id)
            case "running":
                children = self.tasks[1:] if self.is_join and task is self.tasks[0] else ()
                yield Spawned(id, try_id, "", children) if children else Returned(id, try_id, "")
                for cause in (Cause.RAISED, Cause.LOST, Cause.EXPIRED):
                    yield TryFailed(id, try_id, cause, BOOM)

    def play(self, event: Event) -> None:
        if isinstance(event, (*WISHES, Undone)):
            self.users -= 1
        else:
            self._answered(event)
        if isinstance(event, Dispatched):
            task = self.graph.tasks[event.task]
            assert self._is_behind_parents(task), f"{task} runs too early"
            self.asked.append(("running", task, event.try_id))
        if isinstance(event, Returned | Spawned | TryFailed):
            self.reported = [event]
        if isinstance(event, RetryRequested):
            self._retry(event)
        else:
            self.apply(event)

    def _answered(self, event: Event) -> None:
        what = {
            Dispatched: "Enqueue",
            MemoHit: "LookUp",
            MemoMissed: "LookUp",
            StagedIn: "StageIn",
            StagedOut: "StageOut",
            RetryDue: "WakeLater",
        }.get(type(event), "running")
        for ask in self.asked:
            is_staging = isinstance(event, StagingFailed) and ask[0].startswith("Stage")
            if ask[1].id == event.task and ask[2] == event.try_id and (ask[0] == what or is_staging):
                self.asked.remove(ask)
                return

    def finish(self) -> None:
        """Take the first good choice until all is over; what is not over then would hang."""
        for task in self.tasks:
            self.apply(Resumed(task.id))
        good = (Dispatched, MemoHit, StagedIn, StagedOut, RetryDue, Returned, Spawned)
        for _ in range(100):
            event = next(
                (event for word, event in self.choices() if isinstance(event, good) and "again" not in word),
                None,
            )
            if event is not None:
                self.play(event)
            elif held := next((task for task in self.tasks if task.state is State.HELD), None):
                self.apply(Released(held.id))
            else:
                break
        assert not self.open, f"{[task for task in self.tasks if task.id in self.open]} never end"


def explore(
    shape: Shape,
    options: Options,
    *,
    is_join: bool = False,
    users: int,
    follows: bool = False,
    depth: int,
    prelude: Sequence[str] = (),
) -> int:
    """Play every sequence of at most `depth` choices after `prelude`; return how many there were."""

    def replay(path: tuple[int, ...]) -> Player:
        player = Player(shape, options, is_join=is_join, users=users, follows=follows)
        for word in prelude:
            player.play(next(event for said, event in player.choices() if said == word))
        for at in path:
            player.play(list(player.choices())[at][1])
        return player

    count = 0
    stack: list[tuple[int, ...]] = [()]
    while stack:
        path = stack.pop()
        player = replay(path)
        options_now = [word for word, _ in player.choices()]
        if len(path) < depth:
            stack.extend((*path, at) for at in range(len(options_now)))
        if len(path) == depth or not options_now:
            count += 1
            try:
                player.finish()
            except AssertionError as error:
                error.add_note(f"path {path} of {shape}")
                raise
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_one_task_in_every_order(kind: str) -> None:
    assert explore(((),), KINDS[kind], users=2, depth=5) > 100


@pytest.mark.parametrize("shape", SHAPES)
def test_small_graphs_in_every_order(shape: str) -> None:
    assert explore(SHAPES[shape], KINDS["plain"], users=1, depth=4) > 100


@pytest.mark.parametrize("kind", ["plain", "holding"])
def test_a_join_and_its_children_in_every_order(kind: str) -> None:
    assert explore(((), ()), KINDS[kind], is_join=True, users=1, depth=5) > 100


@pytest.mark.parametrize("shape", ["fan-in", "chain"])
def test_tasks_that_hold_others_in_every_order(shape: str) -> None:
    assert explore(SHAPES[shape], KINDS["holding"], users=1, depth=4) > 100


FIRST_FAILS = ("Dispatched 1", "TryFailed 1")
CHILD_FAILS = ("Dispatched 2", "TryFailed 2", "Dispatched 1", "Spawned 1")


@pytest.mark.parametrize("kind", ["plain", "holding"])
@pytest.mark.parametrize("shape", [*SHAPES, "join"])
def test_a_retry_and_its_undoing_in_every_order(shape: str, kind: str) -> None:
    is_join = shape == "join"
    prelude = (*(CHILD_FAILS if is_join else FIRST_FAILS), "RetryRequested 1")
    parents = ((), ()) if is_join else SHAPES[shape]
    assert explore(parents, KINDS[kind], is_join=is_join, users=3, depth=4, prelude=prelude) > 100


@pytest.mark.parametrize("shape", ["two", "fan-in"])
def test_tasks_sent_ahead_behind_their_parents_in_every_order(shape: str) -> None:
    assert explore(SHAPES[shape], KINDS["plain"], users=1, follows=True, depth=5) > 100


def test_tasks_sent_ahead_that_are_tried_again_in_every_order() -> None:
    assert explore(SHAPES["two"], KINDS["retried"], users=0, follows=True, depth=7) > 100
