"""Hold the parts of the package to each other: one version, one name, no registry, entry points that load."""

import json
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from nbflow._version import __version__
from nbflow.providers.registry import PROVIDERS

ROOT = Path(__file__).parent.parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def read_json(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / name).read_text()))


@pytest.mark.parametrize("name", ["package.json", "package-lock.json"])
def test_version_is_the_same_everywhere(name: str) -> None:
    assert read_json(name)["version"] == __version__


def test_lock_names_no_registry() -> None:
    packages = read_json("package-lock.json")["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_uninstall_names_the_distribution() -> None:
    assert read_json("labextension/install.json")["packageName"] == PYPROJECT["project"]["name"]


@pytest.mark.parametrize("name", sorted(PYPROJECT["project"]["entry-points"]["nbflow.executors"]))
def test_executor_entry_point_loads(name: str) -> None:
    (entry_point,) = entry_points(group="nbflow.executors", name=name)
    assert isinstance(entry_point.load(), type)


@pytest.mark.parametrize("name", sorted(PYPROJECT["project"]["entry-points"]["nbflow.providers"]))
def test_provider_entry_point_is_the_built_in_one(name: str) -> None:
    assert PYPROJECT["project"]["entry-points"]["nbflow.providers"][name] == PROVIDERS.built_in[name]


def test_console_script_loads() -> None:
    (entry_point,) = entry_points(group="console_scripts", name="nbflow")
    assert callable(entry_point.load())


def test_changelog_names_what_is_not_released() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
