"""The page about a task's states says what the core's table says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from nbflow.core.states import Cause, State

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def state_machine() -> ModuleType:
    spec = importlib.util.spec_from_file_location("state_machine", DOCS / "state_machine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_current(state_machine: ModuleType) -> None:
    assert (DOCS / "state-machine.md").read_text() == state_machine.page(), "run `make docs`"


def test_picture_is_current(state_machine: ModuleType) -> None:
    assert (DOCS / "images" / "state-machine.svg").read_text() == state_machine.picture(), "run `make docs`"


def test_every_state_has_a_place_and_a_meaning(state_machine: ModuleType) -> None:
    assert set(state_machine.PLACES) | state_machine.ASIDE_STATES == set(State)
    assert set(state_machine.MEANINGS) == set(State)
    assert set(state_machine.CAUSES) == set(Cause)
