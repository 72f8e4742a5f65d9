"""What the loop makes of nodes that come and go, and what it tells an executor that grows and shrinks."""

import threading
from collections.abc import Collection, Iterator, Sequence
from queue import SimpleQueue

import pytest

import nbflow as nf
from nbflow.cli import main
from nbflow.core.capacity import Capacity
from nbflow.core.events import Returned
from nbflow.core.ids import ExecutorId, NodeId, SlotId
from nbflow.core.scaling import Outlook
from nbflow.core.task import Grant, Resources
from nbflow.errors import InvalidResources
from nbflow.executors.protocol import Exit, NodeDown, NodeDraining, NodeUp, Post, Try
from nbflow.wire.messages import Call

NODE = Resources(cores=4, gpus=2)
SECONDS = 10


class Site:
    """Be an executor whose nodes the test brings up; calls end when it says so."""

    is_remote = False

    def __init__(self, label: str = "site") -> None:
        self.label = ExecutorId(label)
        self.wait_seconds: float | None = 30.0
        self.outlooks: SimpleQueue[Outlook] = SimpleQueue()
        self.sent: SimpleQueue[tuple[SlotId, Call]] = SimpleQueue()
        self.early: list[str] = []
        self._post: Post = lambda news: None

    def start(self, post: Post) -> Capacity:
        self._post = post
        for node in self.early:
            self.open(node)
        return Capacity((), NODE, nodes=2)

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        for call in calls:
            self.sent.put((slot, call))

    def drop(self, tries: Collection[Try]) -> None: ...

    def recall(self, tries: Collection[Try]) -> None: ...

    def close(self, how: Exit) -> None: ...

    def demand(self, outlook: Outlook) -> None:
        self.outlooks.put(outlook)

    def open(self, node: str, block: str = "b1") -> None:
        slots = tuple(SlotId(f"{self.label}/{node}/{n}") for n in range(1, 5))
        up = NodeUp(executor=self.label, node=NodeId(node), block=block, slots=slots, total=NODE)
        self._post([up])

    def say(self, happening: NodeDown | NodeDraining) -> None:
        self._post([happening])

    def take(self) -> tuple[SlotId, Call]:
        return self.sent.get(timeout=SECONDS)

    def finish(self, call: Call, seconds: float = 2.0) -> None:
        self._post([Returned(call.task, call.try_id, "done", seconds)])


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    nf.load(site)
    yield site
    nf.clear()


@nf.python_app
def work() -> str:
    return "here"


def test_tasks_wait_for_a_node_and_go_to_it(site: Site) -> None:
    future = work()
    assert not future.done()
    site.open("n1")
    slot, call = site.take()
    assert slot.startswith("site/n1/")
    assert call.grant is None
    site.finish(call)
    assert future.result(SECONDS) == "done"


def test_a_node_that_comes_while_its_executor_starts_is_not_lost() -> None:
    site = Site()
    site.early = ["n1"]
    nf.load(site)
    try:
        work()
        slot, _ = site.take()
        assert slot.startswith("site/n1/")
    finally:
        nf.clear()


def test_a_node_that_drains_or_is_gone_takes_no_more(site: Site) -> None:
    site.open("n1")
    work()
    _, first = site.take()
    site.say(NodeDraining(site.label, NodeId("n1")))
    site.open("n2")
    work()
    slot, second = site.take()
    assert slot.startswith("site/n2/")
    site.finish(first)
    site.finish(second)
    site.say(NodeDown(site.label, NodeId("n2"), "its walltime is over"))
    future = work()
    site.open("n3")
    slot, call = site.take()
    assert slot.startswith("site/n3/")
    site.finish(call)
    assert future.result(SECONDS) == "done"


def test_what_a_call_is_granted_goes_along_with_it(site: Site) -> None:
    site.open("n1")
    site.open("n2")
    work.options(gpus=1, cores=2)()
    _, call = site.take()
    assert call.grant == Grant(gpus=(0,), cores=(0, 1))
    site.finish(call)
    work.options(nodes=2, ranks_per_node=3)()
    slot, call = site.take()
    assert call.grant == Grant((NodeId("n1"), NodeId("n2")), ranks_per_node=3)
    assert slot.startswith("site/n1/")


def test_more_nodes_than_there_are_is_refused_where_it_is_asked(site: Site) -> None:
    with pytest.raises(InvalidResources, match=r"on 3 nodes; the largest has .* nodes=2"):
        work.options(nodes=3)()


def test_an_elastic_executor_is_told_when_work_comes_and_when_it_is_over(site: Site) -> None:
    future = work.options(gpus=1)()
    outlook = site.outlooks.get(timeout=SECONDS)
    [queued] = outlook.queued
    assert (queued.need, queued.tasks, queued.unknown) == (Resources(gpus=1), 1, 1)
    assert outlook.since is None
    site.open("n1")
    _, call = site.take()
    site.finish(call)
    future.result(SECONDS)
    while outlook.since is None:
        outlook = site.outlooks.get(timeout=SECONDS)
    assert outlook == Outlook((), 0, outlook.since)


def test_a_cancelled_queue_is_no_demand(site: Site) -> None:
    future = work()
    assert site.outlooks.get(timeout=SECONDS).queued
    assert future.cancel()
    outlook = site.outlooks.get(timeout=SECONDS)
    while outlook.queued:
        outlook = site.outlooks.get(timeout=SECONDS)
    assert outlook.since is not None


def test_what_is_queued_is_told_with_its_expected_seconds(site: Site) -> None:
    site.open("n1")
    work()
    _, call = site.take()
    site.finish(call, seconds=2.0)
    many = [work() for _ in range(14)]
    outlook = site.outlooks.get(timeout=SECONDS)
    while outlook.running < 4 or not outlook.queued:
        outlook = site.outlooks.get(timeout=SECONDS)
    [queued] = outlook.queued
    assert (queued.tasks, queued.seconds, queued.longest) == (10, 20.0, 2.0)
    assert len(many) == 14


def test_a_queued_task_says_what_it_waits_for(site: Site) -> None:
    future = work()
    assert future.task.why() == f"task {future.tid} is queued: 1 like it are queued; site has no node as yet"
    site.open("n1")
    slot, call = site.take()
    site.finish(call)
    future.result(SECONDS)
    assert future.task.why() == f"try 1 of task {future.tid} went to {slot}: no other executor could take it"


def test_a_task_with_a_choice_says_why_there_and_so_does_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = Site()
    release = threading.Event()

    @nf.python_app
    def hold() -> bool:
        return release.wait(SECONDS)

    nf.load(["threads", site], workers=1)
    try:
        site.open("n1")
        first, second = hold(), hold()
        slot, call = site.take()
        site.finish(call)
        second.result(SECONDS)
        why = second.task.why()
        assert why.startswith(f"try 1 of task {second.tid} went to {slot}: site was free at once")
        assert "threads was free in about" in why
        assert main(["show", "last", str(second.tid)]) == 0
        assert "there because site was free at once" in capsys.readouterr().out
        release.set()
        first.result(SECONDS)
    finally:
        release.set()
        nf.clear()
