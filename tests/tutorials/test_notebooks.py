"""How tutorials are committed: without outputs, with names for their cells, for any Python 3 kernel."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

FOLDER = Path(__file__).parent.parent.parent / "tutorials"


@pytest.fixture(params=sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> NotebookNode:
    return nbformat.read(request.param, 4)


def test_is_valid(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)


def test_holds_no_outputs(notebook: NotebookNode) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_cells_have_names_that_a_change_does_not_alter(notebook: NotebookNode) -> None:
    names = [cell.id for cell in notebook.cells]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []


def test_metadata_says_nothing_of_whoever_edited_it(notebook: NotebookNode) -> None:
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata.language_info) == {"name"}
    assert {key for cell in notebook.cells for key in cell.metadata} <= {"tags"}


def test_is_listed(notebook: NotebookNode, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    assert f"]({name}.ipynb)" in (FOLDER / "README.md").read_text()
