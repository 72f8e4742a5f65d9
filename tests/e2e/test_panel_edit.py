"""A failed task is edited in the panel: that works on every ipykernel, also while a cell blocks."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .jupyterlab import Lab, Notebook
from .test_panel import live, show_panel

SETUP = """
from pathlib import Path
import ipykernel
import nbflow as nf
nf.load(executors=["threads"])
log = Path("{log}").absolute()

@nf.python_app
def measure(station):
    with log.open("a") as file: file.write(f"measure {{station}}\\n")
    return station * 10

@nf.python_app(on_failure="hold")
def calibrate(reading, gain=2):
    with log.open("a") as file: file.write(f"calibrate {{reading}}\\n")
    if reading >= 30:
        raise ValueError(f"reading {{reading}} is out of range")
    return reading / gain

@nf.python_app
def average(values): return sum(values) / len(values)

mean = average(calibrate.map(measure.map(range(5))))
print(ipykernel.__version__)
"""

OLD = ("6.31.0", "7.1.0")
"""Without subshells; with those that views need to answer while a cell blocks. The newest is `python3`."""

INSTALL_SECONDS = 60


@pytest.fixture(scope="session")
def old_kernels(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the server kernels of older versions: ipykernel alone, before all else that is installed."""
    for version in OLD:
        packages = tmp_path_factory.mktemp("packages")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={packages}"]
        try:
            subprocess.run(
                [*install, f"ipykernel=={version}"], check=True, capture_output=True, timeout=INSTALL_SECONDS
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"ipykernel {version} cannot be had from a package index: {error.stderr!r}")
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": f"ipykernel {version}",
            "language": "python",
            "env": {"PYTHONPATH": f"{packages}:{Path.cwd()}"},
        }
        folder = lab.folder.parent / "data" / "kernels" / f"ipykernel-{version}"
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec))


def show_notebook(page: Page, name: str) -> None:
    page.evaluate(
        "path => { window.jupyterapp.commands.execute('docmanager:open', { path }) }", f"{name}.ipynb"
    )


def edit_in_the_panel(opened: Notebook, lab: Lab, name: str) -> None:
    """Let two tasks fail, mend both in the panel while a cell waits for what needs them."""
    page, log = opened.page, lab.folder / f"{name}.txt"
    output = opened.start(1)
    run = live(show_panel(page), f"{name}.ipynb")
    expect(run).to_contain_text("2 failed")
    run.get_by_role("button", name=f"{name}.ipynb").click()
    view = page.locator(".nbflow-lab-view")
    view.get_by_role("button", name="Edit and retry").click()
    source = view.get_by_role("textbox", name="Source of calibrate")
    expect(source).to_be_focused()
    assert source.input_value().startswith("def calibrate(reading, gain=2):")
    view.get_by_label("all 2 tasks with this ValueError").check()

    source.fill("def calibrate(reading, gain=2:")
    source.press("Control+Enter")
    expect(view.get_by_role("alert")).to_contain_text("was not run again")

    before = log.read_text().splitlines()
    source.fill("def calibrate(reading, gain=2):\n    return reading / gain\n")
    view.get_by_role("button", name="Run again").click()
    expect(view).to_contain_text("Nothing has failed.")
    show_notebook(page, name)
    expect(output).to_contain_text("10.0")
    assert log.read_text().splitlines() == before, "more than the failed branch ran"


@pytest.mark.parametrize("version", OLD)
def test_a_failed_task_is_edited_in_the_panel_on_older_kernels(
    notebook: Callable[..., Notebook], lab: Lab, old_kernels: None, version: str
) -> None:
    name = f"edited-{version}"
    cells = (SETUP.format(log=f"{name}.txt"), "mean.result()")
    opened = notebook(name, *cells, kernel=f"ipykernel-{version}")
    expect(opened.run(0)).to_contain_text(version)
    edit_in_the_panel(opened, lab, name)


def test_a_failed_task_is_edited_in_the_panel(
    notebook: Callable[..., Notebook], lab: Lab, page: Page, pictures: Path
) -> None:
    opened = notebook("edited-newest", SETUP.format(log="edited-newest.txt"), "mean.result()")
    opened.run(0)
    edit_in_the_panel(opened, lab, "edited-newest")


def test_an_argument_is_edited_in_the_panel(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    cells = (SETUP.format(log="argument.txt"), "last = average([calibrate(70)])", "last.result()")
    opened = notebook("argument", *cells)
    opened.run(0)
    opened.run(1)
    output = opened.start(2)
    run = live(show_panel(page), "argument.ipynb")
    expect(run).to_contain_text("3 failed")
    run.get_by_role("button", name="argument.ipynb").click()
    view = page.locator(".nbflow-lab-view")
    view.get_by_role("button", name="Edit and retry").click()
    task = view.get_by_role("combobox", name="Task")
    number = task.locator("option").last.inner_text()
    task.select_option(number)
    argument = view.get_by_role("textbox", name="Argument reading")
    expect(argument).to_have_value("70")
    page.screenshot(path=pictures / "panel-edit.png")
    argument.fill("7")
    expect(view.get_by_text("Arguments are those of one task.")).to_be_visible()
    argument.press("Enter")
    expect(run).to_contain_text("2 failed")
    view.get_by_role("button", name="Edit and retry").click()
    view.get_by_role("textbox", name="Source of calibrate").press("Escape")
    expect(view.get_by_role("textbox")).to_have_count(0)
    show_notebook(page, "argument")
    expect(output).to_contain_text("3.5")
