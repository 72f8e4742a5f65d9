"""A person searches the graph, looks for what made the run long, and goes back in time."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .graph import Graph
from .jupyterlab import Notebook
from .test_notebook_graph import choose_theme

SWEEP = """
import time
import nbflow as nf
nf.load(workers=4)

@nf.python_app
def simulate(depth: int):
    time.sleep(0.9 if depth == 17 else 0.05)
    return depth

@nf.python_app
def fit(sample):
    time.sleep(0.03)
    return 60 / (sample - 30)

@nf.python_app
def summary(values): return sum(values)

fits = fit.map(simulate.map(range(40)))
view = nf.watch([fits, summary(fits[:20])])
nf.wait(fits)
"""

MARKUP = r"""
@nf.python_app
def shout(text):
    print("\x1b[31m<img src=x onerror=alert(2)>\x1b[0m")
    raise ValueError(f"\x1b[1m<script>alert(3)</script>{text}")

call = shout("<b>bold</b>\x1b[31m")
marked = nf.watch(call)
nf.wait([call])
"""


def test_tasks_are_found_the_critical_path_shown_and_the_run_replayed(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("find", SWEEP)
    graph = Graph(opened.run(0))
    root = graph.root
    graph.wait_for("total", 81)
    graph.wait_for("failed", 1)
    root.scroll_into_view_if_needed()
    search, found = root.get_by_role("searchbox"), root.locator(".nbflow-found")
    root.locator("canvas").focus()
    page.keyboard.press("/")
    expect(search).to_be_focused()
    for query, count in (("app:fit", 40), ("is:failed", 1), ("in:[1]", 81), ("simulate(17)", 1), ("none", 0)):
        search.fill(query)
        expect(found).to_have_text(f"{count} of 81")
    search.fill("app:fit is:failed")
    page.wait_for_timeout(500)
    page.screenshot(path=pictures / "find-failed.png")
    page.keyboard.press("Enter")
    expect(root.locator(".nbflow-details h4")).to_contain_text("fit(")
    page.keyboard.press("Escape")
    expect(found).to_have_text("")

    root.get_by_role("button", name="Show the critical path").click()
    expect(root).to_have_attribute("data-path", "3")
    expect(root.locator(".nbflow-word")).to_contain_text("3 tasks that ran")
    root.get_by_role("button", name="Close the panel").click()
    page.wait_for_timeout(500)
    page.screenshot(path=pictures / "find-path.png")
    choose_theme(page, "JupyterLab Dark")
    page.screenshot(path=pictures / "find-path-dark.png")

    root.get_by_role("button", name="Replay the run").click()
    expect(root).to_have_attribute("data-past", "0.000")
    assert graph.number("done") == 0
    slider = root.get_by_role("slider", name="Moment of the run")
    slider.fill("500")
    expect(root.locator(".nbflow-moment")).to_contain_text(" of ")
    expect(root).not_to_have_attribute("data-past", "0.000")
    page.screenshot(path=pictures / "replay-dark.png")
    choose_theme(page, "JupyterLab Light")
    page.screenshot(path=pictures / "replay.png")
    assert 0 < graph.number("done") < 80
    slider.fill("950")
    root.get_by_role("button", name="Play", exact=True).click()
    graph.wait_for("failed", 1)
    root.get_by_role("button", name="Back to now").click()
    expect(root).to_have_attribute("data-past", "")
    graph.wait_for("done", 80)


def test_a13_markup_and_colours_in_calls_outputs_and_tracebacks_stay_text(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    opened = notebook("markup", SWEEP.split("fits =")[0], MARKUP)
    opened.run(0)
    graph = Graph(opened.run(1))
    graph.wait_for("failed", 1)
    root = graph.root
    root.locator("canvas").focus()
    page.keyboard.press("f")
    details = root.locator(".nbflow-details")
    expect(details.locator(".nbflow-traceback")).to_contain_text("<script>alert(3)</script>")
    expect(details).to_contain_text("<img src=x onerror=alert(2)>")
    for name in ("Failures", "Results", "Timeline"):
        root.get_by_role("tab", name=name).click()
        page.wait_for_timeout(300)
    page.screenshot(path=pictures / "markup.png")
    for tag in ("img", "script", "b"):
        expect(root.locator(tag)).to_have_count(0)
    assert alerts == []
