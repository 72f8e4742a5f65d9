import json
from collections.abc import Iterator

import pytest

import nbflow as nf
from nbflow.cli import main
from nbflow.core.capacity import Capacity
from nbflow.core.ids import ExecutorId, NodeId, SlotId, TaskId
from nbflow.core.task import Resources
from nbflow.executors.views import BlockView, NodeView, SlotView
from nbflow.flow.current import current


class Blocky:
    """An executor that only shows blocks."""

    is_remote = False
    standing = ""

    def __init__(self, label: str) -> None:
        self.label = ExecutorId(label)
        self.scaled: list[int] = []

    def start(self, post):
        return Capacity((), Resources(1))

    def send(self, slot, calls): ...
    def drop(self, tries): ...
    def recall(self, tries): ...
    def close(self, how): ...

    def blocks(self):
        slots = tuple(SlotView(SlotId(f"s{n}"), tuple(map(TaskId, range(9 * n)))) for n in range(2))
        return [
            BlockView("b1", "17", "pending", "Priority <high>", ()),
            BlockView("b2", "18", "active", "", (NodeView(NodeId("nb1-1"), "nb1", slots),)),
        ]

    def scale(self, blocks):
        self.scaled.append(blocks)


@pytest.fixture
def sites() -> Iterator[list[Blocky]]:
    sites = [Blocky("here"), Blocky("there")]
    nf.load(sites)
    yield sites
    nf.clear()


def test_nodes_show_what_waits_and_what_is_there(sites: list[Blocky]) -> None:
    table = nf.nodes()
    assert len(table) == 4
    waiting, busy = table[:2]
    assert (waiting.site, waiting.stage, waiting.reason) == ("here", "pending", "Priority <high>")
    assert (busy.node, busy.slots, busy.busy, len(busy.tasks)) == ("nb1-1", 2, 1, 9)
    assert "pending (Priority <high>)" in repr(table)
    assert "and 3 more" in repr(table)
    assert "Priority &lt;high&gt;" in table._repr_html_()


def test_a_site_says_what_is_wrong_or_why_it_has_no_block(sites: list[Blocky]) -> None:
    here, there = sites
    here.standing, there.standing = "it cannot be reached", "nothing is queued for it"
    there.blocks = list  # type: ignore[method-assign]
    troubled, bare = nf.nodes()[2:]
    assert (troubled.site, troubled.stage, troubled.reason) == ("here", "trouble", here.standing)
    assert (bare.site, bare.stage, bare.reason, bare.slots) == ("there", "no block", there.standing, 0)
    assert "no block (nothing is queued for it)" in repr(nf.nodes())
    future = nf.python_app(sites=["there"])(int)()
    assert future.task.why().endswith("; there: nothing is queued for it")


def test_who_asks_from_outside_is_told_the_same(
    sites: list[Blocky], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nodes"]) == 0
    assert capsys.readouterr().out == f"{nf.nodes()}\n"
    assert main(["nodes", current().run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["reason"] == "Priority <high>"
    assert main(["scale", "last", "2", "--site", "there", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"blocks": 2}
    assert [site.scaled for site in sites] == [[], [2]]
    assert main(["scale", "last", "2"]) == 2
    assert "here, there" in capsys.readouterr().err


def test_a_queued_task_says_how_the_blocks_stand_that_it_waits_for(sites: list[Blocky]) -> None:
    future = nf.python_app(sites=["there"])(int)()
    why = future.task.why()
    assert "there has no node as yet; b1: pending (Priority <high>)" in why
    assert "b2" not in why, "it has a node"
    assert "here" not in why.replace("there", "")


def test_without_sites_there_is_nothing_to_show() -> None:
    nf.load("threads", workers=1)
    try:
        assert len(nf.nodes()) == 0
        assert "no blocks" in repr(nf.nodes())
        assert "no blocks" in nf.nodes()._repr_html_()
    finally:
        nf.clear()


def test_scale_goes_to_the_site_that_is_named(sites: list[Blocky]) -> None:
    nf.scale(3, site="there")
    assert [site.scaled for site in sites] == [[], [3]]


@pytest.mark.parametrize("site", [None, "elsewhere"])
def test_scale_wants_to_know_where(sites: list[Blocky], site: str | None) -> None:
    with pytest.raises(nf.errors.ConfigError, match="here, there"):
        nf.scale(3, site=site)


@pytest.mark.parametrize("blocks", [-1, 1.5, True, "2"])
def test_scale_takes_a_count(sites: list[Blocky], blocks: object) -> None:
    with pytest.raises(nf.errors.ConfigError, match="whole number"):
        nf.scale(blocks, site="here")  # type: ignore[arg-type]
