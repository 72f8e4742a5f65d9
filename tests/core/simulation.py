"""Drive a graph and its placement as the dataflow kernel does, against a world where anything may go wrong.

The checker asserts after each event: a future is settled exactly once per opening, nothing runs before its
parents are done or ahead of it on its slot, counters tell the truth, resources are never over-committed.
`settle` then lets everything end and asserts that nothing is left behind.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from nbflow.core import effects as does
from nbflow.core.capacity import Capacity
from nbflow.core.events import (
    CancelRequested,
    DepDone,
    DepFailed,
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
)
from nbflow.core.former import Former
from nbflow.core.graph import Graph, waits_for
from nbflow.core.ids import AppId, ExecutorId, SlotId, TaskId, TryId
from nbflow.core.placement import Placement
from nbflow.core.retry import RetryPolicy
from nbflow.core.states import REOPENABLE, Cause, State
from nbflow.core.task import Failure, Options, Resources, Task

X = ExecutorId("x")
BOOM = RuntimeError("boom")
TOTAL = Resources(cores=3, memory=8)
OPTIONS = (
    Options(),
    Options(memoized=True),
    Options(stages_in=True, stages_out=True),
    Options(memoized=True, stages_in=True, retry=RetryPolicy(count=2)),
    Options(retry=RetryPolicy(count=1, delay=1)),
    Options(holds=True),
    Options(priority=3, resources=Resources(cores=2, memory=5)),
    Options(walltime=1, resources=Resources(memory=4)),
)
PLAIN = OPTIONS[:1]
CAUSES = (Cause.RAISED, Cause.LOST, Cause.TIMEOUT, Cause.EXPIRED, Cause.RECALLED)
SETTLING = {does.Resolve: "resolve", does.Reject: "reject", does.Withdraw: "withdraw"}
REPORTS = (Returned, Spawned, TryFailed)


@dataclass
class Seen:
    """What a user would have seen of one task."""

    task: Task
    is_open: bool = True
    settled: Counter[str] = field(default_factory=Counter)


class Simulation:
    """One run, decided by one seed."""

    def __init__(self, seed: int, *, trouble: float) -> None:
        self.random = Random(seed)
        self.trouble = trouble
        self.graph = Graph(self._noted)
        self.placement = Placement()
        self.seen: dict[TaskId, Seen] = {}
        self.replies: list[Event] = []  # what the world will say, in any order
        self.foreign: list[TaskId] = []
        self.running: dict[tuple[TaskId, TryId], SlotId] = {}
        self.followed = 0
        self.undone = 0
        self.formers: list[Former] = []
        self._slots: list[SlotId] = []
        self._do = {
            does.Enqueue: lambda effect: self.placement.enqueue(effect.task),
            does.LookUp: lambda effect: self._reply(self._looked_up(effect.task)),
            does.StageIn: lambda effect: self._reply(self._staged(effect.task, StagedIn)),
            does.StageOut: lambda effect: self._reply(self._staged(effect.task, StagedOut)),
            does.WakeLater: lambda effect: self._reply(RetryDue(effect.task.id, effect.task.try_id)),
            does.Drop: self._drop,
            does.Remember: lambda effect: None,
            does.Reopen: self._reopen,
            **dict.fromkeys(SETTLING, self._settle),
        }
        self.placement.open_pool(X, Capacity((), TOTAL, keeps_results=True))
        for _ in range(3):
            self._open_slot()
        if self.random.random() < 0.8:
            self.placement.learn(AppId(1), 1e-3, X)

    # What happens

    def submit(self) -> None:
        # Half of the time among the newest: so chains come about, which may be sent in one bundle.
        known = [seen.task for seen in self.seen.values()][self.random.choice((0, -2)) :]
        parents = self.random.sample(known, min(len(known), self.random.choice((0, 0, 1, 1, 2, 3))))
        self._submit(parents, foreign=self._chance(0.1))

    def _submit(self, parents: list[Task], *, foreign: bool = False) -> Task:
        id = TaskId(len(self.seen) + 1)
        options = self.random.choice(OPTIONS if self.random.random() < 0.7 else PLAIN)
        task = Task(id, AppId(self.random.randint(1, 2)), options, parents=parents)
        task.can_follow = self.random.random() < 0.7
        self.seen[id] = Seen(task)
        self.foreign += [id] * foreign
        self.apply(Submitted(id, task, int(foreign)))
        return task

    def act(self) -> None:
        """Let one thing happen that somebody asks for, or that goes wrong."""
        roll = self.random.random() * 8
        if roll < 1:
            self._ask(CancelRequested)
        elif roll < 2:
            self._ask(Paused)
        elif roll < 3:
            self._ask(Resumed)
        elif roll < 5:
            self._retry()
        elif roll < 6:
            self._ask(Released)
        elif roll < 7:
            self._undo()
        else:
            self._close_slot()

    def advance(self) -> None:
        """Let placement send what it can, and one reply of the world arrive."""
        for assignment in self.placement.assign(0.0):
            for task in assignment.tasks:
                self.running[task.id, task.try_id] = assignment.slot
                self.apply(Dispatched(task.id, task.try_id, assignment.slot))
                self._reply(self._outcome(task, alone=len(assignment.tasks) == 1))
            self._check_resources()
        if self.replies:
            at = self.random.randrange(len(self.replies))
            event = self.replies[at]
            # What crosses a network may be said again; what happens in this process is said once.
            if not (isinstance(event, REPORTS) and self._chance(0.2)):
                self.replies.pop(at)
            self._arrive(event)
        elif self.foreign:
            self._foreign_ends(self.foreign.pop())

    def apply(self, event: Event) -> None:
        self._do_all(self.graph.apply(event))
        self._check(self.graph.tasks.get(event.task))

    def _do_all(self, effects: list[does.Effect]) -> None:
        for effect in effects:
            self._do[type(effect)](effect)

    def settle(self) -> None:
        """Let everything end without further trouble, and assert that it does."""
        self.trouble = 0.0
        for _ in range(100_000):
            for seen in list(self.seen.values()):
                if seen.task.state is State.PAUSED:
                    self.apply(Resumed(seen.task.id))
                if seen.task.state is State.HELD:
                    self.apply(Released(seen.task.id))
            if not self._is_under_way():
                break
            self.advance()
        for seen in self.seen.values():
            assert seen.task.state.is_final, f"{seen.task} never ends"
            assert not seen.is_open, f"the future of {seen.task} is pending"
        assert all(task.state in REOPENABLE for task in self.graph.tasks.values())
        self._check_all()

    def _is_under_way(self) -> bool:
        return any(not seen.task.state.is_final for seen in self.seen.values())

    # The world's answers

    def _chance(self, share: float) -> bool:
        return self.random.random() < share * self.trouble

    def _reply(self, event: Event) -> None:
        self.replies.append(event)

    def _looked_up(self, task: Task) -> Event:
        if self.random.random() < 0.3:
            return MemoHit(task.id, task.try_id, "remembered")
        return MemoMissed(task.id, task.try_id)

    def _staged(self, task: Task, kind: type[StagedIn | StagedOut]) -> Event:
        if self._chance(0.3):
            return StagingFailed(task.id, task.try_id, BOOM)
        return kind(task.id, task.try_id)

    def _outcome(self, task: Task, *, alone: bool) -> Event:
        if self._chance(0.5):
            return TryFailed(task.id, task.try_id, self.random.choice(CAUSES), BOOM, alone)
        if not task.can_follow and self.random.random() < 0.25:
            return Spawned(task.id, task.try_id, "arrangement", ())
        return Returned(task.id, task.try_id, "value", 1e-3)

    def _arrive(self, event: Event) -> None:
        key = (event.task, getattr(event, "try_id", None))
        if isinstance(event, REPORTS):
            self.placement.release(event.task, event.try_id, 0.0)
            if self.running.pop(key, None) and isinstance(event, Returned):
                self.placement.learn(self.seen[event.task].task.app, event.seconds, X)
        if isinstance(event, Spawned):
            event = self._with_children(event)
        self.apply(event)

    def _with_children(self, event: Spawned) -> Event:
        task = self.seen[event.task].task
        if len(self.seen) < 80 and task.state is State.RUNNING and task.try_id == event.try_id:
            children = [self._submit([]) for _ in range(self.random.randint(0, 2))]
            known = [seen.task for seen in self.seen.values()]
            children += self.random.sample(known, min(len(known), self.random.randint(0, 2)))
            if waits_for(children, task):
                return TryFailed(event.task, event.try_id, Cause.RAISED, BOOM)
            is_foreign = self._chance(0.2)
            if is_foreign:
                self.foreign.append(task.id)
            return Spawned(event.task, event.try_id, event.value, children, int(is_foreign))
        return event

    def _foreign_ends(self, id: TaskId) -> None:
        if self._chance(0.4):
            self.apply(DepFailed(id, Failure(None, BOOM, id), is_foreign=True))
            self._forget_foreign(id)
        else:
            self.apply(DepDone(id, is_foreign=True))

    # What users and sites do

    def _ask(self, kind: type[CancelRequested | Paused | Resumed | Released]) -> None:
        self.apply(kind(self.random.choice(list(self.seen))))

    def _retry(self) -> None:
        closed = [task for task in self.graph.tasks.values() if task.state in REOPENABLE]
        if not closed:
            return
        task = self.random.choice(closed)
        parents = None
        if self.random.random() < 0.3:
            others = [seen.task for seen in self.seen.values() if not waits_for([seen.task], task)]
            parents = self.random.sample(others, min(len(others), 2))
        is_anew = self.random.random() < 0.3
        is_foreign = parents is not None and self._chance(0.3)
        formers = [Former.of(task, task.call) for task in closed]
        self.apply(RetryRequested(task.id, parents, is_anew, int(is_foreign)))
        self.formers = [former for former in formers if former.task.try_id != former.try_id]
        self._forget_foreign(task.id)
        self.foreign += [task.id] * is_foreign

    def _undo(self) -> None:
        formers, self.formers = self.formers, []
        self._do_all(self.graph.undo(formers))
        self.undone += len(formers)
        for former in formers:
            assert (former.task.state, former.task.failure) == (former.state, former.failure)
            self.foreign = [other for other in self.foreign if other != former.task.id]
        self._check_all()

    def _forget_foreign(self, id: TaskId) -> None:
        """Report on a future of others no longer, once the arguments that held it were changed."""
        self.foreign = [other for other in self.foreign if other != id or self.seen[id].task.foreign]

    def _open_slot(self) -> None:
        slot = SlotId(f"x/{self.random.random()}")
        self._slots.append(slot)
        self.placement.open_slot(X, slot)

    def _close_slot(self) -> None:
        """Lose a worker; its tries are reported as lost, and may be reported once more later."""
        lost = self.placement.close_slot(self._slots.pop(0))
        for id, try_id in lost:
            if self.running.pop((id, try_id), None):
                self.apply(TryFailed(id, try_id, Cause.LOST, BOOM, alone=len(lost) == 1))
        self._open_slot()

    # What the core asks for

    def _drop(self, effect: does.Drop) -> None:
        key = effect.task.id, effect.try_id
        self.running.pop(key, None)
        self.placement.release(*key, 0.0)

    def _reopen(self, effect: does.Reopen) -> None:
        seen = self.seen[effect.task.id]
        assert not seen.is_open, f"{effect.task} is reopened and never was settled"
        seen.is_open = True

    def _settle(self, effect: does.Effect) -> None:
        seen = self.seen[effect.task.id]
        assert seen.is_open, f"{effect.task} is settled twice: {seen.settled}"
        seen.is_open = False
        seen.settled[SETTLING[type(effect)]] += 1

    # What must hold

    def _noted(self, task: Task, event: Event) -> None:
        if isinstance(event, Dispatched):
            ahead = [parent for parent in task.parents if parent.state is not State.DONE]
            self.followed += len(ahead)
            for parent in ahead:
                assert self.running[parent.id, parent.try_id] == event.slot, f"{task} runs before {parent}"
        assert task.state is not State.DONE or task.id not in self.graph.tasks or task.awaiting == 0

    def _check(self, task: Task | None) -> None:
        if task is None:
            return
        assert task.state is not State.DONE, f"{task} is done and still in the graph"
        deps = task.children or task.parents
        missing = sum(dep.state is not State.DONE for dep in deps)
        assert task.awaiting == missing + task.foreign, (
            f"{task} awaits {task.awaiting}, {missing} are missing"
        )
        assert task.blocked == sum(dep.state in REOPENABLE for dep in deps), f"{task} blocked {task.blocked}"
        assert task.state in REOPENABLE or not task.blocked, f"{task} waits for what failed"
        is_open = self.seen[task.id].is_open
        assert is_open is not task.state.is_final, f"{task} and its future disagree"

    def _check_all(self) -> None:
        for task in list(self.graph.tasks.values()):
            self._check(task)

    def _check_resources(self) -> None:
        cores = memory = 0
        slots: set[SlotId] = set()
        for (id, _), slot in self.running.items():
            if slot not in slots:
                slots.add(slot)
                need = self.seen[id].task.options.resources
                cores, memory = cores + need.cores, memory + need.memory
        assert cores <= TOTAL.cores, f"{cores} cores are used"
        assert memory <= TOTAL.memory, f"{memory} bytes are used"
