"""The views in Notebook 7, and in two notebooks at once."""

import time
from collections.abc import Callable

import nbformat
from playwright.sync_api import Browser, Page, expect

from .graph import Graph
from .jupyterlab import Lab, Notebook

FLOW = """
import nbflow as nf
nf.load("threads", workers=2)

@nf.python_app
def invert(number): return 1 / number

calls = invert.map(range({count}))
view = nf.watch(calls)
ended = nf.wait(calls)
"""


def test_the_views_live_in_notebook_7(lab: Lab, chromium: Browser) -> None:
    cells = [nbformat.v4.new_code_cell(FLOW.format(count=9).strip())]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(written, lab.folder / "seven.ipynb")
    context = chromium.new_context()
    page = context.new_page()
    errors: list[str] = []  # Notebook 7 has one of its own
    page.on("pageerror", lambda error: errors.append(error.stack or ""))
    page.goto(f"{lab.url}/notebooks/seven.ipynb?token={lab.token}")
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    cell.wait_for(timeout=60_000)
    expect(page.locator(".jp-NotebookKernelLogo, .jp-Toolbar-kernelName").first).to_be_attached()
    deadline = time.monotonic() + 40
    while not cell.locator(".nbflow-graph").count() and time.monotonic() < deadline:
        if cell.locator(".jp-InputPrompt").inner_text().strip() in ("[ ]:", ""):  # no kernel took it yet
            cell.locator(".cm-content").click()
            page.keyboard.press("Control+Enter")
        page.wait_for_timeout(1_500)
    graph = Graph(cell.locator(".jp-OutputArea").first)
    graph.wait_for("done", 8)
    graph.wait_for("failed", 1)
    graph.root.get_by_role("tab", name="Failures").click()
    expect(graph.root.locator(".nbflow-failure")).to_contain_text("division by zero")
    context.close()
    lab.end_kernels()
    assert [error for error in errors if "nbflow" in error] == []


def test_two_notebooks_at_once_know_nothing_of_each_other(
    notebook: Callable[..., Notebook], lab: Lab, page: Page
) -> None:
    first = notebook("first", FLOW.format(count=5))
    Graph(first.run(0)).wait_for("total", 5)
    second = notebook("second", FLOW.format(count=7))
    graph = Graph(second.run(0))
    graph.wait_for("total", 7)
    graph.wait_for("failed", 1)
    assert len(lab.get("/api/kernels")) >= 2
    page.evaluate("() => void window.jupyterapp.commands.execute('docmanager:open', {path: 'first.ipynb'})")
    again = Graph(Notebook(page).run(0))
    again.wait_for("total", 5)  # bound to the work that exists: its own, not the other's
    again.wait_for("done", 4)
    lab.end_kernels()
