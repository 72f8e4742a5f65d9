"""The tutorials as a newcomer meets them: cell after cell, in the real JupyterLab."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from .graph import Graph, is_busy
from .jupyterlab import Lab, Notebook, open_lab

FOLDER = Path(__file__).parent.parent.parent / "tutorials"
TUTORIAL, SECOND, THIRD, FOURTH = sorted(FOLDER.glob("*.ipynb"))


def places_in(path: Path) -> dict[str, int]:
    """Return where each cell of a notebook stands, by its name."""
    return {cell["id"]: place for place, cell in enumerate(nbformat.read(path, 4).cells)}


PLACES = places_in(TUTORIAL)
ANSWER = re.compile(r"9\d\.\d% of 449 digits read right")
ALL, BRANCH = 34, 8
"""The tasks of the flow before the exam, and those of them that the bug keeps from running."""


@pytest.fixture
def tutorial(lab: Lab, page: Page) -> Iterator[Notebook]:
    shutil.copy(TUTORIAL, lab.folder / "tutorial.ipynb")
    open_lab(page, lab, "tutorial.ipynb")
    yield Notebook(page)
    lab.end_kernels()


def test_the_tutorial_fails_and_is_repaired_before_the_readers_eyes(
    tutorial: Notebook, page: Page, pictures: Path
) -> None:
    page.screenshot(path=pictures / "tutorial-start.png")
    for name in ("start", "two-apps"):
        tutorial.run(PLACES[name])
    Graph(tutorial.run(PLACES["first-call"])).wait_for("done", 2)
    expect(tutorial.run(PLACES["look"]).locator("img")).to_be_visible()
    page.screenshot(path=pictures / "tutorial-data.png")
    for name in ("apps", "submit"):
        tutorial.run(PLACES[name])

    graph = Graph(tutorial.start(PLACES["watch"]))
    graph.wait_for("total", ALL)
    seen = set()
    while is_busy(page, PLACES["watch"]):
        seen.add(graph.number("done"))
        if len(seen) == 5:
            graph.root.scroll_into_view_if_needed()
            page.screenshot(path=pictures / "tutorial-running.png")
        time.sleep(0.05)
    assert len(seen) > 5, "the graph did not change while the cell ran"
    graph.wait_for("done", ALL - BRANCH)
    graph.wait_for("failed", 1)

    page.mouse.click(*graph.pixel(graph.task_in("failed")))
    expect(graph.root.locator(".nbflow-traceback")).to_contain_text("n_components=80 must be between 0")
    page.wait_for_timeout(600)
    page.screenshot(path=pictures / "tutorial-failed.png")

    expect(tutorial.run(PLACES["fail"])).to_contain_text("DependencyError")
    tutorial.cell(PLACES["fail"]).scroll_into_view_if_needed()
    page.screenshot(path=pictures / "tutorial-error.png")
    expect(tutorial.run(PLACES["why"])).to_contain_text("n_components=80")
    expect(tutorial.run(PLACES["repair"])).to_contain_text(str(BRANCH))

    repaired = Graph(tutorial.run(PLACES["rerun"]))
    repaired.wait_for("failed", 0)
    repaired.wait_for("done", ALL + 6)  # the exam: one more to compress, five to answer
    repaired.root.scroll_into_view_if_needed()
    page.wait_for_timeout(600)
    page.screenshot(path=pictures / "tutorial-repaired.png")

    expect(tutorial.run(PLACES["proof"]).locator("tbody tr")).to_contain_text(
        ["unpack 1 0", "split 1 0", "compress 5 1", "train 20 5", "pick 0 1", "final 0 1", "take_exam 5 0"]
    )
    expect(tutorial.run(PLACES["answer"])).to_contain_text(ANSWER)
    for name in ("plot", "misread"):
        picture = tutorial.run(PLACES[name]).locator("img")
        expect(picture).to_be_visible()
    picture.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "tutorial-answer.png")


def test_run_all_cells_goes_through_the_failure_to_the_end(tutorial: Notebook, page: Page) -> None:
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    answer = tutorial.cell(PLACES["answer"]).locator(".jp-OutputArea").first
    expect(answer).to_contain_text(ANSWER, timeout=90_000)


@pytest.fixture
def second(lab: Lab, page: Page) -> Iterator[Notebook]:
    shutil.copy(SECOND, lab.folder / "second.ipynb")
    open_lab(page, lab, "second.ipynb")
    yield Notebook(page)
    lab.end_kernels()
    (lab.folder / "nbflow.toml").unlink(missing_ok=True)


def test_the_second_tutorial_goes_from_here_to_jobs_by_one_line(
    second: Notebook, page: Page, pictures: Path
) -> None:
    cells = places_in(SECOND)
    for name in ("start", "data", "app"):
        second.run(cells[name])
    Graph(second.run(cells["a-few"])).wait_for("done", 20)
    page.screenshot(path=pictures / "cluster-here.png")
    second.run(cells["site"])
    expect(second.run(cells["check"])).to_contain_text("✓ clock")
    expect(second.run(cells["render"])).to_contain_text("ipyparallel.engine")
    page.screenshot(path=pictures / "cluster-site.png")

    expect(second.run(cells["one-line"])).to_contain_text("mycluster")
    graph = Graph(second.start(cells["many"]))
    graph.wait_for("total", 300)
    graph.root.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "cluster-waiting.png")
    graph.wait_for("done", 300, seconds=120)
    page.screenshot(path=pictures / "cluster-done.png")
    expect(second.run(cells["where"])).to_contain_text("nbf-")
    expect(second.run(cells["nodes"]).locator("table")).to_contain_text("active")
    page.screenshot(path=pictures / "cluster-nodes.png")

    expect(second.run(cells["break"])).to_contain_text("the third time it went well")
    expect(second.run(cells["attempts"]).locator("tbody tr")).to_contain_text(
        ["TryFailed", "TryFailed", "Returned"]
    )
    picture = second.run(cells["plot"]).locator("img")
    expect(picture).to_be_visible()
    expect(second.run(cells["chosen"])).to_contain_text("sure of: triglycerides, BMI, blood pressure")
    picture.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "cluster-answer.png")
    second.run(cells["clear"])


@pytest.fixture
def fourth(lab: Lab, page: Page) -> Iterator[Notebook]:
    shutil.copy(FOURTH, lab.folder / "fourth.ipynb")
    open_lab(page, lab, "fourth.ipynb")
    yield Notebook(page)
    lab.end_kernels()


def test_the_fourth_tutorial_shows_what_two_thousand_tasks_do(
    fourth: Notebook, lab: Lab, page: Page, pictures: Path
) -> None:
    cells = places_in(FOURTH)
    for name in ("start", "apps", "submit"):
        fourth.run(cells[name])
    graph = Graph(fourth.start(cells["watch"]))
    graph.wait_for("total", 2_107)
    graph.wait_for("marks", 3)
    graph.root.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "see-running.png")
    graph.root.get_by_role("tab", name="Resources").click()
    page.wait_for_timeout(1_200)
    page.screenshot(path=pictures / "see-resources.png")
    while is_busy(page, cells["watch"]):
        time.sleep(0.2)
    broken = graph.number("failed")
    assert 10 < broken < 60
    graph.root.get_by_role("tab", name="Failures").click()
    expect(graph.root.locator(".nbflow-failure")).to_have_count(1)
    expect(graph.root.locator(".nbflow-failure")).to_contain_text("needs samples of at least 2 classes")
    page.screenshot(path=pictures / "see-failures.png")

    expect(fourth.run(cells["failures"])).to_contain_text("learn")
    table = fourth.run(cells["results"])
    for _ in range(2):
        table.get_by_role("button", name="seed").click()
    expect(table.locator("tbody tr")).to_have_count(450)
    table.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "see-results.png")
    expect(fourth.run(cells["timeline"]).locator(".nbflow-sheet-pane svg")).to_contain_text("processes/1")
    page.screenshot(path=pictures / "see-timeline.png")
    expect(fourth.run(cells["path"])).to_contain_text("[")
    again = fourth.run(cells["repair"]).locator(".jp-OutputArea-output").inner_text()
    assert int(again) > broken  # the failed ones, and what waits for them
    answer = fourth.run(cells["answer"])
    expect(answer).to_contain_text(re.compile(r"256 tumours seen: 9\d% right"))
    graph.wait_for("done", 2_107)
    expect(fourth.run(cells["plot"]).locator("img")).to_be_visible()
    page.screenshot(path=pictures / "see-answer.png")
    fourth.run(cells["report"])
    assert (lab.folder / "work" / "see-it.html").stat().st_size < 2_000_000
    fourth.run(cells["clear"])


@pytest.fixture
def third(lab: Lab, page: Page) -> Iterator[Notebook]:
    shutil.copy(THIRD, lab.folder / "third.ipynb")
    open_lab(page, lab, "third.ipynb")
    yield Notebook(page)
    lab.end_kernels()


def test_the_third_tutorial_goes_wrong_is_repaired_and_outlives_its_kernel(
    third: Notebook, page: Page, lab: Lab, pictures: Path
) -> None:
    cells = places_in(THIRD)
    for name in ("start", "apps"):
        third.run(cells[name])
    graph = Graph(third.run(cells["submit"]))
    graph.wait_for("done", 36)
    graph.wait_for("failed", 3)
    graph.root.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "wrong-failed.png")

    expect(third.run(cells["triage"]).locator("tbody tr")).to_contain_text(["user error", "missing file"])
    page.screenshot(path=pictures / "wrong-triage.png")
    expect(third.run(cells["look"])).to_contain_text("log_scale failed")
    expect(third.run(cells["column"])).to_contain_text("zeros: 13 of 569")
    page.screenshot(path=pictures / "wrong-capsule.png")
    expect(third.run(cells["replay"])).to_contain_text("array")
    expect(third.run(cells["hasty"])).to_contain_text("dimensions")
    third.run(cells["undo"])
    expect(third.run(cells["undone"])).to_contain_text("log_scale: failed")
    page.screenshot(path=pictures / "wrong-undone.png")
    repaired = third.run(cells["repair"])
    expect(repaired).to_contain_text("missing file")
    expect(repaired).not_to_contain_text("user error")
    expect(third.run(cells["words"]).locator("tbody tr").first).to_contain_text("number of dents")
    expect(third.run(cells["proof"])).to_contain_text("Well done!")
    page.screenshot(path=pictures / "wrong-repaired.png")
    expect(third.run(cells["restart"])).to_contain_text("first life")

    lab.restart_kernels()
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    welcome = third.cell(cells["restart"]).locator(".jp-OutputArea").first
    expect(welcome).to_contain_text("28 of 45 pairs were not judged again", timeout=90_000)
    expect(third.cell(cells["plot"]).locator("img").first).to_be_visible(timeout=30_000)
    page.screenshot(path=pictures / "wrong-answer.png")
