"""Each tab of a view, and each view alone, as a person meets them in JupyterLab."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .graph import Graph
from .jupyterlab import Notebook
from .test_notebook_graph import choose_theme

SWEEP = """
import random, time
import nbflow as nf
nf.load(workers=4)

@nf.python_app
def simulate(depth: int, seed: int = 0):
    time.sleep(random.uniform(0.02, 0.12))
    return {"energy": depth ** 0.5 + random.random() / 5, "steps": depth * 10}

@nf.python_app
def fit(sample):
    time.sleep(0.03)
    if 19.5 < sample["steps"] / 10 < 23.5:
        raise ValueError(f"no minimum below <b>{sample['steps']}</b> steps")
    return sample["energy"]

@nf.python_app
def summary(values): return sum(values) / len(values)

samples = simulate.map(range(1, 61))
fits = fit.map(samples)
total = summary(fits)
view = nf.watch([samples, fits, total])
nf.wait([total])
"""

ALONE = """
results = nf.views.results(samples)
lines = nf.views.timeline(samples)
"""


def test_every_tab_draws_and_leads_to_a_task(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("tabs", SWEEP, ALONE)
    graph = Graph(opened.start(0))
    root = graph.root
    graph.wait_for("total", 121)
    root.scroll_into_view_if_needed()
    root.get_by_role("tab", name="Progress").click()
    page.wait_for_timeout(1_200)
    page.screenshot(path=pictures / "tab-progress.png")
    graph.wait_for("failed", 4)
    pane = root.locator(".nbflow-sheet-pane")

    for name in ("Progress", "Timeline", "Resources", "Failures", "Results"):
        root.get_by_role("tab", name=name).click()
        expect(pane.locator("svg, section, table").first).to_be_visible()
        page.wait_for_timeout(300)
        page.screenshot(path=pictures / f"tab-{name.lower()}.png")

    pane.get_by_role("combobox").select_option(label="simulate (60)")
    expect(pane.locator("tbody tr")).to_have_count(60)
    for _ in range(2):
        pane.get_by_role("button", name="depth").click()
    expect(pane.locator("tbody tr").first.locator("td").nth(1)).to_have_text("60")
    expect(pane.locator("svg").first).to_contain_text("result energy")
    page.screenshot(path=pictures / "tab-results.png")

    root.get_by_role("tab", name="Failures").click()
    expect(pane.locator("section")).to_have_count(1)
    expect(pane).to_contain_text("4 tasks, 1 more waits for them")
    expect(pane).to_contain_text("no minimum below <b>200</b> steps")
    expect(pane.locator("section b")).to_have_count(0)

    root.get_by_role("tab", name="Timeline").click()
    expect(pane.locator("svg")).to_contain_text("processes/1")
    choose_theme(page, "JupyterLab Dark")
    for name in ("Failures", "Resources", "Timeline"):
        root.get_by_role("tab", name=name).click()
        page.wait_for_timeout(400)
        page.screenshot(path=pictures / f"tab-{name.lower()}-dark.png")
    choose_theme(page, "JupyterLab Light")
    drawing = pane.locator("svg").bounding_box()
    assert drawing is not None
    middle = drawing["y"] + 40
    page.mouse.move(drawing["x"] + 300, middle)
    page.mouse.down()
    page.mouse.move(drawing["x"] + 420, middle, steps=4)
    page.mouse.up()
    frame = "root => [root.querySelector('.nbflow-sheet-pane').dataset.told]"
    told = root.evaluate(frame)
    page.wait_for_timeout(500)
    page.screenshot(path=pictures / "tab-timeline-zoomed.png")
    assert told
    page.mouse.click(drawing["x"] + 400, middle)
    expect(root.locator(".nbflow-details h4")).to_contain_text("(")

    output = opened.run(1)
    expect(output.locator(".nbflow-graph")).to_have_count(2)
    expect(output.locator(".nbflow-tabs").first).to_be_hidden()
    expect(output.locator("tbody tr")).to_have_count(60)
    output.locator(".nbflow-graph").last.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.screenshot(path=pictures / "views-alone.png")
