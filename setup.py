"""Builds the lab extension with npm before the Python package; everything else is in pyproject.toml.

A wheel or an sdist carries the built bundle, so only a checkout needs Node.js. `NBFLOW_SKIP_JS=1` leaves the
extension out: nbflow's views inside the notebook do not need it.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup
from setuptools.command.build import build
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent.resolve()
BUNDLE = ROOT / "labextension" / "dist"  # jupyterlab.outputDir in package.json
INSTALLED_MODULES = ROOT / "node_modules" / ".package-lock.json"  # npm's own stamp
DESTINATION = "share/jupyter/labextensions/nbflow-labextension"  # the npm package's name
SOURCES = (
    "package.json",
    "package-lock.json",
    "labextension/tsconfig.json",
    "labextension/src/**/*",
    "labextension/style/*",
    "labextension/schema/*",
)


def is_newer(path: Path, than: Path) -> bool:
    """Tell whether `path` changed after `than` did, or `than` does not exist."""
    return not than.exists() or path.stat().st_mtime > than.stat().st_mtime


def is_bundle_stale() -> bool:
    """Tell whether a source is newer than the bundle. An unpacked sdist has no .git and is never stale."""
    built = BUNDLE / "package.json"
    if not (ROOT / ".git").exists():
        return not built.exists()
    sources = (file for pattern in SOURCES for file in ROOT.glob(pattern) if file.is_file())
    return any(is_newer(file, built) for file in sources)


def build_bundle() -> None:
    """Build the bundle, and fetch the npm packages first when the lock has changed."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            "nbflow: building from a checkout needs Node.js >= 20.19 with npm; "
            "set NBFLOW_SKIP_JS=1 to install without the JupyterLab extension"
        )
    if is_newer(ROOT / "package-lock.json", INSTALLED_MODULES):
        subprocess.check_call([npm, "ci", "--ignore-scripts"], cwd=ROOT)
    subprocess.check_call([npm, "run", "build:prod"], cwd=ROOT)


def installed(files: list[Path], base: Path, destination: str) -> list[tuple[str, list[str]]]:
    """Return `data_files` entries that put `files` below `destination` as they lie below `base`."""
    return [
        ("/".join((destination, *file.parent.relative_to(base).parts)), [str(file.relative_to(ROOT))])
        for file in sorted(files)
        if file.is_file()
    ]


class BuildLab(Command):
    """Build the lab extension and add its files to the distribution."""

    description = "build the JupyterLab extension"
    user_options: ClassVar[list[tuple[str, str | None, str | None]]] = []
    editable_mode = False

    def initialize_options(self) -> None: ...

    def finalize_options(self) -> None: ...

    def get_outputs(self) -> list[str]:
        return []

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def get_source_files(self) -> list[str]:
        return []

    def run(self) -> None:
        if os.environ.get("NBFLOW_SKIP_JS") == "1":
            return
        if is_bundle_stale():
            build_bundle()
        tutorials = ROOT / "tutorials"
        self.distribution.data_files = [
            *(self.distribution.data_files or []),
            (DESTINATION, ["labextension/install.json"]),
            *installed(list(BUNDLE.rglob("*")), BUNDLE, DESTINATION),
            *installed(list(tutorials.glob("*.ipynb")), tutorials, f"{DESTINATION}/static/tutorials"),
        ]


class Build(build):
    """Build the lab extension first; an editable install does so too."""

    sub_commands: ClassVar = [("build_lab", None), *build.sub_commands]


class Sdist(sdist):
    """Put the built bundle into the sdist, so that installing it needs no Node.js."""

    def run(self) -> None:
        self.run_command("build_lab")
        super().run()


class WithDataFiles(Distribution):
    """A distribution whose data files an editable install sees.

    setuptools' editable_wheel asks for `has_data`, a name that `Distribution` does not have.
    """

    has_data = Distribution.has_data_files


setup(
    distclass=WithDataFiles,
    data_files=[("etc/jupyter/jupyter_server_config.d", ["nbflow/server/nbflow.json"])],
    cmdclass={"build_lab": BuildLab, "build": Build, "sdist": Sdist},
)
