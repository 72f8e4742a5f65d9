"""What the browser tests share: one JupyterLab, one Chromium, a page for each test, a folder for pictures."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from .jupyterlab import CHROMIUM_FLAGS, Lab, Notebook, open_lab
from .services import gridengine, jupyterhub, slurm, sshd

__all__ = ["gridengine", "jupyterhub", "slurm", "sshd"]  # fixtures of their own module


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("jupyterlab"))
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Give one browser, until these tests end: while its loop runs, no other can in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(20_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
    yield page
    context.close()
    assert errors == [], "the page raised errors of its own"


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Return the folder where screenshots are kept for people to look at."""
    folder = Path(__file__).parent.parent.parent / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def notebook(lab: Lab, page: Page) -> Callable[..., Notebook]:
    """Open a notebook with these cells."""

    def opened(name: str, *cells: str, kernel: str = "python3") -> Notebook:
        spec = {"name": kernel, "display_name": "Python 3", "language": "python"}
        content = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells], metadata={"kernelspec": spec}
        )
        nbformat.write(content, lab.folder / f"{name}.ipynb")
        open_lab(page, lab, f"{name}.ipynb")
        return Notebook(page)

    return opened
