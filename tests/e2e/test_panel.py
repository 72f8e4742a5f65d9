"""The panel in JupyterLab, as a person meets it: runs, the view of a run, marks beside cells."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .jupyterlab import Lab, Notebook
from .test_lab_extension import run_command

LOAD = """
import time
import nbflow as nf
nf.load(executors=["threads"])

is_mended = False

@nf.python_app
def halve(number):
    if number == 3 and not is_mended:
        raise ValueError("three cannot be halved")
    return number / 2

@nf.python_app
def total(numbers):
    return sum(numbers)
"""
QUEUED = """
import nbflow as nf
from nbflow.core.capacity import Capacity
from nbflow.core.task import Resources
from nbflow.executors.views import BlockView, NodeView, SlotView

class Queue:
    label, is_remote, standing = "cluster", False, ""
    def start(self, post): return Capacity((), Resources(1))
    def send(self, slot, calls): ...
    def drop(self, tries): ...
    def recall(self, tries): ...
    def close(self, how): ...
    def scale(self, blocks): ...
    def blocks(self):
        node = NodeView("nb1", "nb1", (SlotView("nb1/0", (7,)), SlotView("nb1/1", ())))
        waiting = BlockView("b1", "17", "pending", "Priority <b>", ())
        return [waiting, BlockView("b2", "18", "active", "", (node,))]

nf.load(Queue())
"""
FLOW = "halves = halve.map(range(8))\nwhole = total(halves)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a server of its own, whose runs are only those of these tests."""
    lab = Lab(tmp_path_factory.mktemp("panel"))
    try:
        yield lab
    finally:
        lab.close()


def show_panel(page: Page) -> Locator:
    run_command(page, "Show nbflow Runs")
    panel = page.get_by_role("region", name="nbflow runs")
    expect(panel).to_be_visible()
    return panel


def live(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("region", name="Live runs").locator(".nbflow-lab-run", has_text=name)


def set_theme(page: Page, name: str) -> None:
    page.evaluate(
        "name => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })", name
    )
    expect(page.locator(f"body[data-jp-theme-name='{name}']")).to_be_attached()
    # JupyterLab removes its splash twice, and fails, when the theme changes again before it is gone.
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)


def test_the_panel_lists_a_live_run_and_opens_its_view(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("halves", LOAD, FLOW)
    opened.run(0)
    opened.run(1)
    panel = show_panel(page)
    run = live(panel, "halves.ipynb")
    expect(run).to_contain_text("7 of 9 done")
    expect(run).to_contain_text("1 failed")
    expect(page.locator(".nbflow-lab-status")).to_contain_text("✕ 1")
    page.screenshot(path=pictures / "panel-light.png")

    run.get_by_role("button", name="halves.ipynb").focus()
    page.keyboard.press("Enter")
    view = page.locator(".nbflow-lab-view")
    expect(view).to_contain_text("three cannot be halved")
    expect(view).to_contain_text("user error")
    expect(view.locator("code").first).to_have_text("halve(3)")
    expect(view.locator("code").last).to_contain_text('raise ValueError("three cannot be halved")')
    expect(view).to_contain_text("edit the function")
    page.screenshot(path=pictures / "panel-failures.png")


def test_the_view_of_a_run_answers_while_a_cell_blocks_and_after_a_restart(
    notebook: Callable[..., Notebook], page: Page, lab: Lab, pictures: Path
) -> None:
    wait = "nf.python_app(lambda: time.sleep(600))().result()"
    opened = notebook("blocked", LOAD, FLOW, wait)
    opened.run(0)
    opened.run(1)
    opened.start(2)
    panel = show_panel(page)
    run = live(panel, "blocked.ipynb")
    expect(run).to_contain_text("1 running")
    run.get_by_role("button", name="blocked.ipynb").click()
    view = page.locator(".nbflow-lab-view")
    view.get_by_role("tab", name="Tasks").click()
    expect(view.locator(".nbflow-lab-tasks tbody tr")).to_have_count(10)
    view.get_by_role("tab", name="Graph and timeline").click()
    expect(view.frame_locator(".nbflow-lab-report").locator("h2", has_text="Timeline")).to_be_visible()
    set_theme(page, "JupyterLab Dark")
    page.screenshot(path=pictures / "panel-dark.png")
    set_theme(page, "JupyterLab Light")

    lab.restart_kernels()
    gone = panel.get_by_role("region", name="Earlier runs").locator(
        ".nbflow-lab-run", has_text="blocked.ipynb"
    )
    expect(gone).to_be_visible()
    expect(view.frame_locator(".nbflow-lab-report").locator("h2", has_text="Timeline")).to_be_visible()
    view.get_by_role("tab", name="Failures").click()
    expect(view).to_contain_text("three cannot be halved")

    page.reload()
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    expect(page.locator(".nbflow-lab-view")).to_contain_text("three cannot be halved")
    expect(page.get_by_role("region", name="nbflow runs")).to_be_visible()
    page.keyboard.press("Escape")


def test_retry_from_the_panel_ends_the_wait_of_a_blocked_cell(
    notebook: Callable[..., Notebook], page: Page, lab: Lab
) -> None:
    held = LOAD.replace("not is_mended", "not os.path.exists('mended')").replace("import time", "import os")
    held = held.replace("@nf.python_app", '@nf.python_app(on_failure="hold")', 1)
    opened = notebook("retried", held, FLOW, "whole.result()")
    opened.run(0)
    opened.run(1)
    output = opened.start(2)
    run = live(show_panel(page), "retried.ipynb")
    expect(run).to_contain_text("1 failed")
    (lab.folder / "mended").touch()
    run.get_by_role("button", name="Retry failed").click()
    expect(output).to_contain_text("14.0")
    expect(run).to_contain_text("9 of 9 done")
    expect(run.get_by_role("button", name="Retry failed")).to_have_count(0)


def test_a_panel_is_drawn_anew_when_something_took_its_nodes_away(
    notebook: Callable[..., Notebook], page: Page
) -> None:
    opened = notebook("taken", LOAD, FLOW, "is_mended = True\nnf.retry(failed=True)\nwhole.result()")
    opened.run(0)
    opened.run(1)
    run = live(show_panel(page), "taken.ipynb")
    expect(run).to_contain_text("1 failed")
    run.locator(".nbflow-lab-chips li").evaluate_all("items => items.forEach(item => item.remove())")
    opened.run(2)
    expect(run).to_contain_text("9 of 9 done")
    expect(run.locator(".nbflow-lab-chips")).to_have_text("✓ 9 done")


def test_blocks_are_shown_with_what_the_queue_says(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("queued", QUEUED)
    opened.run(0)
    blocks = live(show_panel(page), "queued.ipynb").get_by_role("list", name="Blocks")
    expect(blocks).to_contain_text("cluster 17: pending (Priority <b>)")
    expect(blocks).to_contain_text("cluster 18: active · 1 node · 1 of 2 workers busy")
    page.screenshot(path=pictures / "panel-blocks.png")


def test_pilots_are_started_for_a_notebook_and_stopped(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    notebook("night", "1 + 1")
    panel = show_panel(page)
    page.locator(".jp-Notebook").click()
    run_command(page, "Start Pilots for This Notebook")
    dialog = page.locator(".jp-Dialog")
    dialog.locator("select, input").first.wait_for()
    dialog.locator("select").select_option("local")
    dialog.locator(".jp-mod-accept").click()
    sites = panel.get_by_role("region", name="Sites")
    expect(sites).to_contain_text("no kernel, until", timeout=30_000)
    expect(sites).to_contain_text("for night.ipynb")
    page.screenshot(path=pictures / "panel-sites.png")
    sites.get_by_role("button", name="Stop").click()
    expect(sites).to_have_count(0, timeout=30_000)


def test_marks_beside_cells_tell_of_their_tasks_and_of_an_edit(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("marks", LOAD, FLOW, "1 + 1")
    for index in range(3):
        opened.run(index)
    mark = opened.cell(1).locator(".nbflow-lab-mark")
    expect(mark).to_have_text("7/9")
    expect(mark).to_have_attribute("data-stale", "false")
    expect(mark).to_have_accessible_name("9 tasks: 7 done, 1 failed, 1 upstream failed")
    expect(opened.cell(2).locator(".nbflow-lab-mark")).to_have_count(0)
    opened.cell(1).locator(".cm-content").click()
    page.keyboard.press("End")
    page.keyboard.type("  # other")
    expect(mark).to_have_text("7/9 ✎")
    page.screenshot(path=pictures / "panel-marks.png")
    mark.click()
    expect(page.locator(".nbflow-lab-view")).to_contain_text("three cannot be halved")


def test_two_notebooks_have_a_run_each(notebook: Callable[..., Notebook], page: Page) -> None:
    for name in ("first", "second"):
        opened = notebook(name, LOAD, FLOW)
        opened.run(0)
        opened.run(1)
    panel = show_panel(page)
    for name in ("first", "second"):
        expect(live(panel, f"{name}.ipynb")).to_contain_text("7 of 9 done")


def test_a_person_is_told_of_a_failure(notebook: Callable[..., Notebook], page: Page) -> None:
    opened = notebook("told", LOAD, "is_mended = True\nhalve(2).result()", "is_mended = False\nhalve(3)")
    opened.run(0)
    opened.run(1)
    expect(live(show_panel(page), "told.ipynb")).to_contain_text("1 of 1 done")
    opened.run(2)
    expect(page.locator(".Toastify__toast", has_text="told.ipynb: a task failed")).to_be_visible()


def test_who_wants_no_marks_and_no_notifications_has_none(
    notebook: Callable[..., Notebook], page: Page, lab: Lab
) -> None:
    settings = lab.folder.parent / "settings" / "nbflow-labextension" / "plugin.jupyterlab-settings"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text('{"cellMarks": false, "notifyOnFailure": false, "notifyOnEnd": false}')
    try:
        opened = notebook("quiet", LOAD, FLOW, "nf.clear()")
        opened.run(0)
        opened.run(1)
        expect(live(show_panel(page), "quiet.ipynb")).to_contain_text("1 failed")
        opened.run(2)
        expect(page.get_by_role("region", name="Earlier runs")).to_contain_text("quiet.ipynb")
        expect(page.locator(".Toastify__toast", has_text="quiet.ipynb")).to_have_count(0)
        expect(page.locator(".nbflow-lab-mark")).to_have_count(0)
    finally:
        settings.unlink()


def test_notebook_7_has_the_marks_too(
    notebook: Callable[..., Notebook], page: Page, lab: Lab, chromium: Browser
) -> None:
    notebook("seven", LOAD, FLOW).run(0)
    Notebook(page).run(1)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    context = chromium.new_context()  # Notebook 7 raises errors of its own, which `page` would report
    other = context.new_page()
    other.goto(f"{lab.url}/notebooks/seven.ipynb?token={lab.token}")
    expect(other.locator(".jp-Cell").nth(1).locator(".nbflow-lab-mark")).to_have_text("7/9")
    context.close()
