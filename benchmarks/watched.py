"""Measure what a view of a real run costs: processor time, bytes to the browser, bytes of the saved notebook.

    python -m benchmarks.watched

The run has 100,000 tasks and makes 2,000 events a second; then it does no-ops as fast as it can, with a view
and without. At last somebody clicks while a cell blocks, and the time is taken until that cell goes on.
"""

from __future__ import annotations

import json
import time

from playwright.sync_api import Page

from benchmarks.browser import browser_page, count_bytes, open_cells
from tests.e2e.graph import Graph
from tests.e2e.jupyterlab import Lab, Notebook

__all__ = ["main"]

EVENTS_A_TASK = 3
"""Submitted, dispatched, returned."""

SETUP = f"""
import json, threading, time
from pathlib import Path
import nbflow as nf

nf.load("threads", workers=2)
is_steady, mended = threading.Event(), Path("mended")

@nf.python_app
def noop(number): return number

@nf.python_app(on_failure="hold")
def fussy():
    if not mended.exists():
        raise ValueError("not yet")

def keep_pace():
    due = time.monotonic()
    while True:
        is_steady.wait()
        noop.map(range(2_000 // {EVENTS_A_TASK} // 20))
        due = max(due + 0.05, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))

def steady_percent(seconds=8):
    is_steady.set()
    time.sleep(1)
    began, used = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    percent = 100 * (time.process_time() - used) / (time.perf_counter() - began)
    is_steady.clear()
    return percent

def task_microseconds(tasks=20_000):
    began, used = time.perf_counter(), time.process_time()
    nf.wait(noop.map(range(tasks)))
    return [1e6 * seconds / tasks for seconds in (time.perf_counter() - began, time.process_time() - used)]

def measured():
    steady = steady_percent()
    best = [min(figures) for figures in zip(*(task_microseconds() for _ in range(5)))]
    Path("figures.json").write_text(json.dumps([steady, *best]))

threading.Thread(target=keep_pace, daemon=True).start()
ended = nf.wait(noop.map(range(100_000)))
"""
BLOCK = "held = fussy()\nprint('held')\nheld.result()\nprint('goes on')"


def main() -> None:
    """Print the figures."""
    with browser_page() as (page, lab):
        received = count_bytes(page)
        cells = (SETUP, "measured()", "view = nf.watch()", "measured()", BLOCK)
        notebook = open_cells(page, lab, "watched.ipynb", *cells)
        notebook.run(0, 120)
        alone = _figures(notebook, lab, 1)
        bare = _saved_bytes(page, lab)
        Graph(notebook.run(2))
        page.wait_for_timeout(10_000)  # it reads what has been
        before, began = received(), time.monotonic()
        watched = _figures(notebook, lab, 3)
        rate = (received() - before) / (time.monotonic() - began)
        names = (
            "percent of a core at 2,000 events a second",
            "microseconds a task",
            "CPU microseconds a task",
        )
        for name, without, with_view in zip(names, alone, watched, strict=True):
            print(f"{name}: {without:.1f} without a view, {with_view:.1f} with one")
        print(f"{rate / 1000:.1f} kB/s to the browser")
        print(f"from click to effect while a cell blocks: {_click(notebook, lab):.2f} s")
        print(f"the saved notebook is larger by {(_saved_bytes(page, lab) - bare) / 1000:.1f} kB")


def _figures(notebook: Notebook, lab: Lab, cell: int) -> list[float]:
    notebook.run(cell, 120)
    figures: list[float] = json.loads((lab.folder / "figures.json").read_text())
    return figures


def _click(notebook: Notebook, lab: Lab) -> float:
    """Repair what failed, click, and return the seconds until the cell that waits for it goes on."""
    graph = Graph(notebook.cell(2).locator(".jp-OutputArea").first)
    output = notebook.start(4)
    output.get_by_text("held").wait_for()
    button = graph.root.get_by_role("button", name="Run all failed tasks again")
    button.wait_for()
    (lab.folder / "mended").touch()
    button.scroll_into_view_if_needed()
    began = time.monotonic()
    button.click()
    output.get_by_text("goes on").wait_for()
    return time.monotonic() - began


def _saved_bytes(page: Page, lab: Lab) -> int:
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    return (lab.folder / "watched.ipynb").stat().st_size


if __name__ == "__main__":
    main()
