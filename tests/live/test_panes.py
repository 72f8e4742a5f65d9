import random
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from nbflow.core.states import State
from nbflow.journal.follower import Follower
from nbflow.journal.reader import Reader, open_run
from nbflow.journal.rows import Detail, UsageRow
from nbflow.live.charts.axes import Scale, round_steps
from nbflow.live.charts.resources import Resources
from nbflow.live.charts.timeline import Timeline
from nbflow.live.feed import Tick
from nbflow.live.model import Changes, RunModel
from nbflow.live.panes import CHARTS, TABS, Panes

from .sample import SampleRun

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def reader(run: SampleRun) -> Iterator[Reader]:
    with open_run(run.address) as reader:
        yield reader


def model_of(run: SampleRun) -> RunModel:
    run.publish()
    model = RunModel()
    with Follower(run.address) as follower:
        model.take(follower.news())
    return model


def two_lanes(run: SampleRun) -> RunModel:
    """Two slots: one runs a task for 2 of 4 seconds and fails one, the other runs one all the time."""
    first, second, third = (run.submit("fit", at=100.0) for _ in range(3))
    run.start(first, slot="here/1", at=100.0)
    run.start(second, slot="here/2", at=100.0)
    run.finish(first, seconds=2.0, at=102.0)
    run.start(third, slot="here/1", at=103.0)
    run.happen(third, "TryFailed", State.FAILED, Detail(error="ValueError", seconds=0.5), at=103.5)
    run.finish(second, seconds=4.0, at=104.0)
    return model_of(run)


def test_spans_tell_how_long_a_task_waited_and_ran(run: SampleRun) -> None:
    spans = {span.task: span for span in two_lanes(run).spans}
    assert (spans[3].ready, spans[3].sent, spans[3].began, spans[3].ended) == (100.0, 103.0, 103.0, 103.5)
    assert spans[3].state == State.FAILED
    assert spans[1].lane == spans[3].lane != spans[2].lane


def test_a_try_that_was_sent_in_a_bundle_began_when_its_call_did(run: SampleRun) -> None:
    task = run.submit("fit", at=100.0)
    run.start(task, at=101.0)
    run.finish(task, seconds=0.5, at=104.0)
    (span,) = model_of(run).spans
    assert (span.sent, span.began, span.ended) == (101.0, 103.5, 104.0)


def test_a_click_on_a_bar_finds_its_task(run: SampleRun) -> None:
    timeline = Timeline(two_lanes(run), None, width=800, now=104.0)
    found = [
        timeline.pick(timeline.scale(seconds), 24 + 22 * row + 8)
        for row, seconds in ((0, 1.0), (0, 3.2), (1, 3.0), (0, 2.5), (7, 1.0))
    ]
    assert found == [1, 3, 2, 0, 0]


def test_a_timeline_of_many_tries_stays_small(run: SampleRun) -> None:
    chance = random.Random(3)
    for number in range(20_000):
        task = run.submit("fit", at=number / 100)
        run.start(task, slot=f"here/{number % 8}", at=number / 100)
        run.finish(task, seconds=0.05, at=number / 100 + chance.uniform(0.05, 0.08))
    model = model_of(run)
    assert len(Timeline(model, None, width=900, now=300.0).draw()) < 60_000
    assert len(Resources(model, None, width=900, now=300.0).draw()) < 30_000


def test_the_mean_of_slots_with_work_is_exact(run: SampleRun) -> None:
    drawn = Resources(two_lanes(run), None, width=800, now=104.0).draw()
    assert "mean 1.6, most 2" in drawn  # 6.5 s of work in 4 s


def test_round_steps_are_round() -> None:
    assert round_steps(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert round_steps(0.32, 0.41, 5) == pytest.approx([0.32, 0.34, 0.36, 0.38, 0.4])
    assert round_steps(0, 3000, 8, (1, 60, 600)) == [0, 600, 1200, 1800, 2400, 3000]
    scale = Scale(2.0, 4.0, 100.0, 300.0)
    assert scale.value(scale(3.3)) == pytest.approx(3.3)


def test_every_pane_can_be_made_also_of_nothing(run: SampleRun, reader: Reader) -> None:
    for model in (RunModel(), two_lanes(run)):
        panes = Panes(model)
        for name in TABS:
            panes.ask({"kind": "pane", "name": name, "width": 700})
            told = panes.tell(reader, None, 200.0)
            assert (told is None) == (name == "graph")
    with pytest.raises(ValueError, match="no tab"):
        panes.ask({"name": "../etc"})


def test_a_pane_is_told_only_while_it_is_looked_at_and_at_most_once_a_second(
    run: SampleRun, reader: Reader
) -> None:
    model = two_lanes(run)
    panes = Panes(model)
    panes.note(Tick(model, Changes([1]), 200.0, False))
    assert not panes.is_due(200.0)
    panes.ask({"name": "progress"})
    assert panes.is_due(200.0)
    panes.tell(reader, None, 200.0)
    panes.note(Tick(model, Changes([1]), 200.5, False))
    assert not panes.is_due(200.5)
    assert panes.is_due(211.0)


def test_failures_are_grouped_as_nf_failures_groups_them(run: SampleRun, reader: Reader) -> None:
    tasks = [run.submit("fit") for _ in range(4)]
    for number, task in enumerate(tasks[:3]):
        run.fail(task, message=f"ValueError: row {number} of 'file{number}.csv'")
    lost = Detail(error="WorkerLost", message="the node is gone", cause="lost")
    run.happen(tasks[3], "TryFailed", State.FAILED, lost)
    run.block(run.submit("score", [tasks[0]]), root=tasks[0])
    panes = Panes(model_of(run))
    panes.ask({"name": "failures"})
    groups = (panes.tell(reader, None, 0.0) or {})["groups"]
    assert [(group["tasks"], group["blocked"]) for group in groups] == [([1, 2, 3], 1), ([4], 0)]
    assert groups[0]["message"] == "ValueError: row 0 of 'file0.csv'"
    assert [group["reason"] for group in groups] == ["user error", "lost node"]
    assert groups[0]["place"].startswith("fit in model.py")
    assert groups[0]["calls"] == ["fit(1)", "fit(2)", "fit(3)"]


def test_results_have_columns_for_parameters_and_parts_of_results(run: SampleRun, reader: Reader) -> None:
    for depth in (1, 2, 3):
        task = run.submit("fit", call=f"fit({depth}, load#7, rate=0.{depth})")
        run.finish(task, seconds=2.0)
    run.submit("fit", call="fit(<DataFrame 3×4>)")
    results = {1: {"loss": 0.5, "name": "a"}, 2: {"loss": 0.25, "name": "b"}}
    panes = Panes(model_of(run), lambda task: results.get(task, {"loss": 0.1, "name": "c"}))
    panes.ask({"name": "results"})
    told = panes.tell(reader, None, 0.0) or {}
    columns = ("argument 0", "argument 1", "rate", "call", "state", "seconds", "result loss", "result name")
    assert told["columns"] == columns
    assert told["rows"][1]["cells"] == (2, "load#7", 0.2, None, "done", 2.0, 0.25, "b")
    assert "result loss by argument 0" in told["svg"]


def test_a13_names_with_markup_controls_and_colours_stay_text_in_every_chart(run: SampleRun) -> None:
    chance = random.Random(13)
    alphabet = "<>&\"'/ab\x00\x1b[31m\x7f\ud800\ufffe]]><script>"
    for number in range(40):
        name = "".join(chance.choice(alphabet) for _ in range(chance.randrange(1, 60)))
        name = name.encode("utf-8", "replace").decode()
        task = run.submit(name, at=float(number))
        run.start(task, slot=name, at=float(number))
        run.finish(task, at=number + 0.5)
    panes = Panes(model_of(run))
    for chart in CHARTS:
        tree = ElementTree.fromstring(panes.draw(chart, None, 60.0, 800.0))
        kinds = {element.tag.removeprefix(SVG) for element in tree.iter()}
        assert kinds <= {"svg", "g", "title", "text", "rect", "path"}
        assert not any(key.startswith("on") for element in tree.iter() for key in element.attrib)


def test_processors_and_memory_are_drawn_for_each_node_that_was_measured(run: SampleRun) -> None:
    model = two_lanes(run)
    assert "Processors" not in Resources(model, None, width=800, now=104.0).draw()
    run.journal.usage.extend([UsageRow(1, 1, 1.0, 50_000_000), UsageRow(2, 1, 6.0, None)])
    drawn = Resources(model_of(run), None, width=800, now=104.0).draw()
    assert "Processors busy: here" in drawn
    # Task 1 used half a processor for 2 of the 4 seconds, task 2 one and a half all the time.
    assert "mean 1.8, most 2<" in drawn
    assert "Memory held, MB: here" in drawn
    assert "mean 25, most 50<" in drawn


def test_many_nodes_are_summed_up(run: SampleRun) -> None:
    for node in range(9):
        task = run.submit("fit", at=100.0)
        run.start(task, slot=f"nb{node}/1", at=100.0)
        run.finish(task, seconds=1.0, at=101.0)
        run.journal.usage.append(UsageRow(task, 1, 1.0, 10_000_000))
    drawn = Resources(model_of(run), None, width=800, now=101.0).draw()
    assert "Processors busy: 9 nodes" in drawn
    assert "mean 90, most 90<" in drawn
