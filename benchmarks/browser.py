"""Measure the graph in a real JupyterLab: frames a second, the worst gap between two, bytes to the browser.

    python -m benchmarks.browser

10,000 marks are drawn one by one, and 1,000 of them change a second. The run is made by hand in a journal, so
that nothing but the views has work.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Page, WebSocket, sync_playwright

from tests.e2e.jupyterlab import CHROMIUM_FLAGS, Lab, Notebook, open_lab

__all__ = ["browser_page", "count_bytes", "main", "open_cells"]

ROOT = Path(__file__).parent.parent
SECONDS = 8
MARKS = 10_000
CHANGES = 1_000

CELL = f"""
import os, sys, threading, time
sys.path.insert(0, {str(ROOT)!r})
from tests.live.sample import SampleRun
from nbflow.live.feed import Feed
from nbflow.live.graph import GraphView

run = SampleRun("graph")
tasks = [
    run.submit(f"app{{number % 10}}", [number - 999] if number >= 1000 else [])
    for number in range({MARKS})
]
run.publish()
feed = Feed(run.address)
view = GraphView(run, feed, set(tasks))
view.show()

def change():
    turn = 0
    while True:
        for task in tasks[turn : turn + {CHANGES // 20}]:
            run.start(task, slot=f"here/{{task % 8}}")
            run.finish(task)
        run.publish()
        turn = (turn + {CHANGES // 20}) % len(tasks)
        time.sleep(0.05)

threading.Thread(target=change, daemon=True).start()
"""

FRAMES = """([seconds, pans]) => new Promise(done => {
    const gaps = []; let last = performance.now(); const end = last + 1000 * seconds;
    const view = document.querySelector('.nbflow-graph').nbflow;
    const pan = () => { view.camera.pan(Math.sin(performance.now() / 300), 0); view.moved() };
    const frame = now => {
        if (pans) pan();
        gaps.push(now - last);
        last = now;
        now < end ? requestAnimationFrame(frame) : done(gaps);
    };
    requestAnimationFrame(frame);
})"""


def main() -> None:
    """Print the figures."""
    with browser_page() as (page, lab):
        received = count_bytes(page)
        _measure(page, lab, received)


@contextmanager
def browser_page() -> Iterator[tuple[Page, Lab]]:
    """Have a page of a browser, and a JupyterLab server that knows no run."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 860}), lab
        finally:
            browser.close()
            lab.close()


def open_cells(page: Page, lab: Lab, name: str, *cells: str) -> Notebook:
    """Open a new notebook that has these cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells], metadata={"kernelspec": kernel}
    )
    nbformat.write(content, lab.folder / name)
    open_lab(page, lab, name)
    return Notebook(page)


def count_bytes(page: Page) -> Callable[[], int]:
    """Return a function that tells how many bytes the page got over WebSockets since now."""
    sizes: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: sizes.append(len(payload)))

    page.on("websocket", listen)
    return lambda: sum(sizes)


def _measure(page: Page, lab: Lab, received: Callable[[], int]) -> None:
    root = open_cells(page, lab, "graph.ipynb", CELL).run(0, 120).locator(".nbflow-graph")
    root.wait_for()
    page.wait_for_timeout(2_000)
    _open_cards(page)
    page.wait_for_timeout(3_000)
    print(f"marks drawn one by one: {root.get_attribute('data-marks')}")
    for pans, who in ((False, "looked at"), (True, "panned all the time")):
        before, drawn = received(), int(root.get_attribute("data-frames") or 0)
        gaps = page.evaluate(FRAMES, [SECONDS, pans])
        painted = int(root.get_attribute("data-frames") or 0) - drawn
        print(
            f"{who}: {1000 * len(gaps) / sum(gaps):.1f} frames a second, worst gap {max(gaps):.0f} ms, "
            f"painted {painted / SECONDS:.1f} times a second, "
            f"{(received() - before) / SECONDS / 1000:.0f} kB/s to the browser"
        )


def _open_cards(page: Page) -> None:
    """Open every app that is folded."""
    card = (
        "() => { const view = document.querySelector('.nbflow-graph').nbflow;"
        " const [mark] = view.store.cards.keys(); if (mark === undefined) return false;"
        " view.view.link.post({ kind: 'toggle', app: view.store.app[mark] }); return true }"
    )
    while page.evaluate(card):
        page.wait_for_timeout(700)


if __name__ == "__main__":
    main()
