"""A failed task is edited in the view: only its branch runs again, and the cell that waits goes on."""

import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .graph import Graph, is_busy
from .jupyterlab import Lab, Notebook
from .test_notebook_graph import choose_theme

SETUP = '''
from pathlib import Path
import nbflow as nf

log = Path("runs.txt").absolute()

@nf.python_app
def measure(station):
    with log.open("a") as file:
        file.write(f"measure {station}\\n")
    return station * 10

@nf.python_app(on_failure="hold")
def calibrate(reading, gain=2):
    """Turn a reading into degrees."""
    with log.open("a") as file:
        file.write(f"calibrate {reading}\\n")
    if reading == 30:
        raise ValueError(f"reading {reading} is out of range")
    return reading / gain

@nf.python_app
def average(values):
    return sum(values) / len(values)

nf.load(workers=2)
'''

RUN = """
readings = measure.map(range(6))
calibrated = calibrate.map(readings)
mean = average(calibrated)
nf.watch()
nf.wait(calibrated)
"""

BLOCK = "mean.result()  # somebody mends what it waits for in the view above"

AGAIN = "calibrate(30).result(), average(calibrate.map(readings)).result()"


def test_a_failed_task_is_edited_while_a_cell_waits_for_it(
    notebook: Callable[..., Notebook], lab: Lab, page: Page, pictures: Path
) -> None:
    opened = notebook("edited", SETUP, RUN, BLOCK, AGAIN)
    opened.run(0)
    graph = Graph(opened.run(1))
    graph.wait_for("failed", 1)
    output = opened.start(2)
    page.wait_for_timeout(300)
    assert is_busy(page, 2)

    graph.root.scroll_into_view_if_needed()
    page.mouse.click(*graph.pixel(graph.task_in("failed")))
    details = graph.root.locator(".nbflow-details")
    details.get_by_role("button", name="Edit this task").click()
    editor = details.locator("textarea")
    expect(editor).to_be_focused()
    assert editor.input_value().startswith("def calibrate(reading, gain=2):")
    expect(details.locator(".nbflow-marked")).to_have_text("6")
    graph.root.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.screenshot(path=pictures / "edit-opened.png")

    editor.fill(editor.input_value().replace("if reading == 30", "if reading == 300"))
    expect(details.locator(".nbflow-added")).to_contain_text("if reading == 300")
    expect(details.locator(".nbflow-removed")).to_contain_text("if reading == 30:")
    expect(details.get_by_label("Write the change into the cell")).to_be_checked()
    details.get_by_role("button", name="Run again").scroll_into_view_if_needed()
    page.screenshot(path=pictures / "edit-changed.png")
    choose_theme(page, "JupyterLab Dark")
    page.screenshot(path=pictures / "edit-changed-dark.png")
    choose_theme(page, "JupyterLab Light")

    before = (lab.folder / "runs.txt").read_text().splitlines()
    asked = time.monotonic()
    details.get_by_role("button", name="Run again").click()
    graph.wait_for("done", 13)
    print(f"from the click until all is done: {time.monotonic() - asked:.2f} s")
    expect(output.get_by_text("12.5")).to_be_visible()
    assert not is_busy(page, 2)
    ran = (lab.folder / "runs.txt").read_text().splitlines()
    assert ran[len(before) :] == ["calibrate 30"], "more than the failed branch ran"
    page.screenshot(path=pictures / "edit-mended.png")

    cell = "() => window.jupyterapp.shell.currentWidget.content.model.cells.get(0).sharedModel.getSource()"
    assert '@nf.python_app(on_failure="hold")\ndef calibrate' in page.evaluate(cell)
    assert "if reading == 300:" in page.evaluate(cell)
    expect(opened.run(3)).to_contain_text("(15.0, 12.5)")


def test_a_person_looks_inside_a_failure_and_opens_the_debugger(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("inside", SETUP, RUN)
    opened.run(0)
    graph = Graph(opened.run(1))
    graph.wait_for("failed", 1)
    graph.root.scroll_into_view_if_needed()
    page.mouse.click(*graph.pixel(graph.task_in("failed")))
    details = graph.root.locator(".nbflow-details")
    details.get_by_role("button", name="Look at the variables").click()
    frame = details.locator(".nbflow-frame").first
    expect(frame.locator(".nbflow-marked")).to_contain_text("raise ValueError")
    expect(frame.locator(".nbflow-facts")).to_contain_text("gain")
    page.screenshot(path=pictures / "inside.png")
    details.get_by_role("button", name="Add a cell").click()
    cell = "() => window.jupyterapp.shell.currentWidget.content.model.cells.get(2).sharedModel.getSource()"
    assert page.evaluate(cell).endswith(").debug()")
    details.get_by_role("button", name="Back to the task").click()
    expect(details.locator(".nbflow-traceback")).to_contain_text("reading 30 is out of range")

    output = opened.start(2)
    for asked in ("p reading + gain", "q"):
        prompt = output.locator("input.jp-Stdin-input").last
        prompt.fill(asked)
        prompt.press("Enter")
    expect(output).to_contain_text("32")
