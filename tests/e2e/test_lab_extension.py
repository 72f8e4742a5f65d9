"""The JupyterLab extension, as a person meets it: the launcher card, the palette, the first tutorial."""

from pathlib import Path

from playwright.sync_api import Page, expect

from .jupyterlab import Lab, Notebook, open_lab


def run_command(page: Page, label: str) -> None:
    """Choose a command in the palette, as a person would."""
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type(label)
    page.locator(".lm-CommandPalette-item", has_text=label).click()


def test_launcher_card_opens_a_notebook_with_a_flow_that_runs(lab: Lab, page: Page, pictures: Path) -> None:
    open_lab(page, lab)
    card = page.locator(".jp-LauncherCard", has_text="nbflow")
    card.wait_for()
    page.screenshot(path=pictures / "launcher.png")
    card.click()
    notebook = Notebook(page)
    expect(notebook.run(1)).to_contain_text("[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]")
    page.screenshot(path=pictures / "starter.png")


def test_palette_inserts_a_starter_cell(lab: Lab, page: Page, pictures: Path) -> None:
    open_lab(page, lab)
    page.locator(".jp-LauncherCard", has_text="nbflow").click()
    notebook = Notebook(page)
    notebook.cell(1).locator(".jp-InputPrompt").click()
    run_command(page, "Insert an nbflow Starter Cell")
    expect(notebook.cell(2)).to_contain_text("import nbflow as nf")


def test_palette_opens_the_first_tutorial(lab: Lab, page: Page) -> None:
    open_lab(page, lab)
    page.locator(".jp-LauncherCard").first.wait_for()
    run_command(page, "Open the First nbflow Tutorial")
    Notebook(page)
    assert (lab.folder / "01-first-flow.ipynb").exists()
