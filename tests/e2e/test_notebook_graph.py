"""The live graph as a person meets it: it moves while a cell runs, tells what failed, and retries it."""

import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from playwright.sync_api import Page, expect

from .graph import Graph, is_busy
from .jupyterlab import Lab, Notebook, open_lab

SETUP = """
import time
from pathlib import Path
import nbflow as nf

repaired = Path("repaired").absolute()

@nf.python_app
def load_digits(): time.sleep(0.2)

@nf.python_app
def split(digits, seed): time.sleep(0.2)

@nf.python_app
def train(data, depth, flag):
    time.sleep(0.25)
    print("training a forest of depth", depth)
    if depth == 5 and not flag.exists():
        raise ValueError("a depth of <b>5</b> is too much")
    return depth

@nf.python_app
def score(model): time.sleep(0.1)

@nf.python_app
def best(scores): return max(range(len(scores)))

nf.load(workers=2)
"""

RUN = """
data = split(load_digits(), seed=0)
models = train.map([data] * 18, range(18), [repaired] * 18)
scores = [score(model) for model in models]
winner = best(scores)
nf.watch()
len(nf.wait(scores).done)
"""

WAIT_FOR_RETRY = """
repaired.touch()
while models[5].exception() is not None:
    time.sleep(0.05)
winner.result()
"""

MANY = """
import nbflow as nf
nf.load("threads", workers=2)

@nf.python_app
def simulate(seed): return seed

@nf.python_app
def analyse(sample): return sample

analysed = analyse.map(simulate.map(range(5000)))
nf.watch(analysed)
nf.gather(analysed)[-1]
"""


def choose_theme(page: Page, theme: str) -> None:
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_timeout(1_000)


def test_the_graph_moves_while_a_cell_runs_and_a_failure_is_retried(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("live", SETUP, RUN, WAIT_FOR_RETRY)
    opened.run(0)
    graph = Graph(opened.start(1))
    graph.wait_for("total", 39)
    seen = set()
    while is_busy(page, 1):
        seen.add(graph.number("done"))
        if len(seen) == 5:
            graph.root.scroll_into_view_if_needed()
            page.screenshot(path=pictures / "graph-running.png")
        time.sleep(0.05)
    assert len(seen) > 5, "the graph did not change while the cell ran"
    graph.wait_for("failed", 1)

    failed = graph.task_in("failed")
    page.mouse.move(*graph.pixel(failed))
    tooltip = graph.root.locator(".nbflow-tooltip")
    expect(tooltip).to_contain_text("train(")
    expect(tooltip).to_contain_text("failed")
    page.screenshot(path=pictures / "graph-tooltip.png")

    page.mouse.click(*graph.pixel(failed))
    details = graph.root.locator(".nbflow-details")
    expect(details.locator(".nbflow-traceback")).to_contain_text("a depth of <b>5</b> is too much")
    expect(details.locator(".nbflow-traceback b")).to_have_count(0)
    expect(details).to_contain_text("training a forest of depth 5")
    page.wait_for_timeout(600)
    page.screenshot(path=pictures / "graph-failure.png")

    opened.start(2)
    page.wait_for_timeout(500)
    assert is_busy(page, 2)
    details.get_by_role("button", name="Run this task again").click()
    graph.wait_for("done", 39)
    expect(details.locator(".nbflow-traceback")).to_have_count(0)
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[2].prompt !== '*'", timeout=20_000
    )


def test_the_graph_is_reachable_by_keyboard_and_follows_the_theme(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("keys", SETUP.replace('repaired"', 'never"'), RUN)
    opened.run(0)
    graph = Graph(opened.run(1))
    graph.wait_for("failed", 1)
    graph.root.scroll_into_view_if_needed()
    graph.root.locator("canvas").focus()
    page.keyboard.press("f")
    details = graph.root.locator(".nbflow-details")
    expect(details).to_contain_text("ValueError")
    choose_theme(page, "JupyterLab Dark")
    page.screenshot(path=pictures / "graph-failure-dark.png")
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    page.wait_for_timeout(600)
    page.screenshot(path=pictures / "graph-dark.png")
    page.keyboard.press("ArrowLeft")
    expect(graph.root.locator(".nbflow-word")).to_contain_text("split(")
    assert len(page.locator(".jp-Notebook .jp-Cell").all()) == 2, "a key went to the notebook"
    choose_theme(page, "JupyterLab Light")


def test_a_saved_notebook_shows_the_last_picture_without_a_kernel(
    notebook: Callable[..., Notebook], lab: Lab, page: Page, pictures: Path
) -> None:
    opened = notebook("saved", SETUP.replace('repaired"', 'never"'), RUN)
    opened.run(0)
    graph = Graph(opened.run(1))
    graph.wait_for("failed", 1)
    page.wait_for_timeout(1_000)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    saved = nbformat.read(lab.folder / "saved.ipynb", 4)
    stills = [
        output.data["text/html"] for output in saved.cells[1].outputs if "text/html" in output.get("data", {})
    ]
    assert len(stills) == 1
    assert "<svg" in stills[0]
    assert len(stills[0]) < 100_000
    lab.end_kernels()
    open_lab(page, lab, "saved.ipynb")
    still = page.locator(".nbflow-still")
    expect(still).to_contain_text("1", timeout=20_000)
    expect(still.locator("svg")).to_be_visible()
    still.locator("svg").scroll_into_view_if_needed()
    page.wait_for_timeout(3_000)
    expect(page.get_by_text("model not found")).to_be_hidden()
    page.screenshot(path=pictures / "graph-saved.png")


def test_ten_thousand_tasks_are_folded_and_can_be_opened(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("many", MANY)
    graph = Graph(opened.run(0))
    graph.wait_for("done", 10_000)
    assert graph.state()["folded"] == "true"
    graph.wait_for("marks", 2)
    graph.root.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "graph-folded.png")
    for marks in (5_001, 10_000):
        card = "root => root.nbflow.open([...root.nbflow.store.cards.keys()][0])"
        graph.root.evaluate(card)
        graph.root.get_by_role("button", name="Show its 5,000 tasks").click()
        graph.wait_for("marks", marks)
        graph.root.get_by_role("button", name="Fold into one card").wait_for()
    graph.root.get_by_role("button", name="Close the panel").click()
    page.wait_for_timeout(1_000)
    page.screenshot(path=pictures / "graph-ten-thousand.png")
    drawn = graph.number("frames")
    graph.root.evaluate("root => root.nbflow.zoom(4)")
    page.wait_for_timeout(300)
    assert graph.number("frames") > drawn
