"""Views at their edges: retries that fail again, kernels that are gone, notebooks saved or converted."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from playwright.sync_api import Page, expect

from .graph import Graph, is_busy
from .jupyterlab import Lab, Notebook, open_lab

FAILS_AGAIN = """
from pathlib import Path
import nbflow as nf
nf.load("threads", workers=2)
tries = Path("tries").absolute()

@nf.python_app
def fit(depth):
    with tries.open("a") as file:
        file.write("x")
    raise ValueError(f"no luck in attempt {tries.stat().st_size}")

call = fit(3)
view = nf.watch(call)
"""

ENDLESS = """
import time
import nbflow as nf
nf.load("threads", workers=2)

@nf.python_app
def simulate(seed): time.sleep(0 if seed < 5 else 600)

runs = simulate.map(range(8))
view = nf.watch(runs)
bar = nf.progress(runs)
nf.wait(runs[:5])
time.sleep(600)
"""

FINISHED = """
import nbflow as nf
nf.load("threads", workers=2)

@nf.python_app
def simulate(seed): return 1 // seed

runs = simulate.map(range(8))
view = nf.watch(runs)
ended = nf.wait(runs)
"""

BUG = """
from pathlib import Path
import nbflow as nf
nf.load("threads", workers=2)

@nf.python_app
def leaf(n):
    with Path(f"leaf-{n}").open("a") as file:
        file.write("x")
    return 60 // (n % 20 - 7)

@nf.python_app
def total(parts): return sum(parts)

leaves = leaf.map(range(64))
top = total([total(leaves[n:n + 8]) for n in range(0, 64, 8)])
view = nf.watch(top)
"""

MENDED = """
@nf.python_app
def leaf(n):
    with Path(f"leaf-{n}").open("a") as file:
        file.write("x")
    return n
"""

GONE = "The Jupyter kernel of this view is gone"


def restart_kernel(page: Page) -> None:
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")


def save(page: Page) -> None:
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")


def test_the_panel_follows_a_retry_that_ends_in_the_same_state(
    notebook: Callable[..., Notebook], page: Page
) -> None:
    opened = notebook("again", FAILS_AGAIN)
    graph = Graph(opened.run(0))
    graph.wait_for("failed", 1)
    graph.root.locator("canvas").focus()
    page.keyboard.press("f")
    details = graph.root.locator(".nbflow-details")
    expect(details.locator(".nbflow-traceback")).to_contain_text("no luck in attempt 1")
    for attempt in (2, 3):
        details.get_by_role("button", name="Run this task again").click()
        expect(details.locator(".nbflow-traceback")).to_contain_text(f"no luck in attempt {attempt}")
        expect(details.locator(".nbflow-attempts li")).to_have_count(attempt)
    expect(details.locator(".nbflow-attempts")).to_contain_text("no luck in attempt 1")


def test_after_an_edit_the_button_runs_what_failed_and_what_waits_for_it(
    notebook: Callable[..., Notebook], lab: Lab, page: Page
) -> None:
    opened = notebook("mended", BUG, MENDED, "print('the sum is', type(top.result()).__name__)")
    graph = Graph(opened.run(0))
    graph.wait_for("failed", 3)
    opened.run(1)
    graph.root.get_by_role("button", name="Run all failed tasks again").click()
    graph.wait_for("done", 73)
    expect(opened.run(2)).to_contain_text("the sum is int")
    runs = {n: len((lab.folder / f"leaf-{n}").read_text()) for n in range(64)}
    assert {n for n, count in runs.items() if count == 2} == {7, 27, 47}
    assert set(runs.values()) == {1, 2}
    graph.root.locator("canvas").focus()


def test_the_panel_is_reached_and_left_by_keyboard(notebook: Callable[..., Notebook], page: Page) -> None:
    opened = notebook("panel", FAILS_AGAIN)
    graph = Graph(opened.run(0))
    graph.wait_for("failed", 1)
    canvas, details = graph.root.locator("canvas"), graph.root.locator(".nbflow-details")
    canvas.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(details).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    retry = details.get_by_role("button", name="Run this task again")
    expect(retry).to_be_focused()
    page.keyboard.press("Enter")
    expect(details.locator(".nbflow-attempts li")).to_have_count(2)
    expect(retry).to_be_focused()
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    expect(canvas).to_be_focused()


def test_after_a_restart_the_views_say_so_and_then_live_again(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("restarted", ENDLESS)
    graph = Graph(opened.start(0))
    graph.wait_for("done", 5)
    output = opened.cell(0).locator(".jp-OutputArea").first
    expect(output.get_by_text(GONE).first).to_be_hidden()
    restart_kernel(page)
    for note in (graph.root, output.locator(".nbflow-progress")):
        expect(note.get_by_text(GONE)).to_be_visible()
    assert graph.number("done") == 5
    page.screenshot(path=pictures / "graph-restarted.png")
    drawn = graph.number("frames")
    page.wait_for_timeout(500)
    assert graph.number("frames") - drawn <= 1, "something moves in a view that is lost"

    opened.start(0)
    expect(output.get_by_text(GONE)).to_have_count(0)
    again = Graph(output)
    again.wait_for("done", 5)
    assert is_busy(page, 0)


def test_a_kernel_that_was_shut_down_is_noticed(notebook: Callable[..., Notebook], page: Page) -> None:
    opened = notebook("ended", FINISHED)
    graph = Graph(opened.run(0))
    graph.wait_for("failed", 1)
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
    expect(graph.root.get_by_text(GONE)).to_be_visible()
    expect(graph.root.get_by_role("button", name="Run all failed tasks again")).to_be_hidden()


def test_a_reloaded_page_shows_what_ran_when_its_kernel_was_restarted(
    notebook: Callable[..., Notebook], lab: Lab, page: Page, pictures: Path
) -> None:
    opened = notebook("reloaded", ENDLESS)
    graph = Graph(opened.start(0))
    graph.wait_for("done", 5)
    still = page.locator(".nbflow-still")
    expect(still.first).to_contain_text("5 of 8 tasks done", timeout=20_000)
    expect(still.first).to_be_hidden()
    save(page)
    open_lab(page, lab, "reloaded.ipynb")
    expect(still.first).to_be_visible()  # JupyterLab learns of widgets again when the busy cell is over
    expect(page.get_by_text("Loading widget").first).to_be_hidden()
    page.goto("about:blank")
    lab.restart_kernels()
    open_lab(page, lab, "reloaded.ipynb")
    for one in (still.first, still.last):
        expect(one).to_be_visible()
        expect(one).to_contain_text("5 of 8 tasks done")
        expect(one).to_contain_text("as of ")
    page.wait_for_timeout(1_000)
    expect(page.get_by_text("model not found").first).to_be_hidden()
    page.screenshot(path=pictures / "graph-reloaded.png")


def test_every_cell_that_shows_a_view_keeps_its_picture_also_when_converted(
    lab: Lab, page: Page, pictures: Path
) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(cell) for cell in (FINISHED, "view")]
    path = lab.folder / "converted.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    convert = [sys.executable, "-m", "nbconvert", "--log-level=ERROR", str(path)]
    subprocess.run([*convert, "--execute", "--to=notebook", "--inplace"], check=True)
    saved = nbformat.read(path, 4)
    assert "widgets" in saved.metadata  # nbconvert keeps the widgets' state, and no kernel stands behind it
    for cell in saved.cells:
        assert "7 of 8 tasks done" in cell.outputs[-1].data["text/plain"]
        assert "<svg" in cell.outputs[-1].data["text/html"]

    subprocess.run([*convert, "--to=html"], check=True)
    page.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
    page.goto(path.with_suffix(".html").as_uri())
    stills = page.locator(".nbflow-still svg")
    expect(stills).to_have_count(2)
    expect(stills.last).to_be_visible()
    page.screenshot(path=pictures / "graph-converted.png")
    page.unroute_all()

    # Somebody else's notebook is not trusted: JupyterLab takes the drawing out and leaves the words.
    open_lab(page, lab, "converted.ipynb")
    words = page.locator(".nbflow-still")
    expect(words).to_have_count(2)
    for one in (words.first, words.last):
        expect(one).to_be_visible()
        expect(one).to_contain_text("7 of 8 tasks done")
    page.wait_for_timeout(1_000)
    for one in page.locator(".nbflow-graph").all():
        expect(one).to_be_hidden()
    page.screenshot(path=pictures / "graph-untrusted.png")
