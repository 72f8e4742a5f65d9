"""Every code block of the documentation runs, a page at a time in a process and a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .session import BlockFailed, blocks, compare, run_console

ROOT = Path(__file__).parent.parent.parent
SESSION = Path(__file__).with_name("session.py")
RUN = {"python", "ipython", "console"}
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if any(block.language in RUN for block in blocks(page.read_text()))
]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_code_blocks_run(page: Path, tmp_path: Path) -> None:
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    home = {name: str(tmp_path) for name in ("HOME", "IPYTHONDIR", "NBFLOW_STATE_DIR", "NBFLOW_CACHE_DIR")}
    ran = subprocess.run(
        [sys.executable, str(SESSION), str(page)],
        cwd=tmp_path,
        env={**os.environ, **home, "PATH": paths, "COLUMNS": "100", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]


def test_blocks_are_found_with_their_lines() -> None:
    page = "# A page\n\n```python\nx = 1\n```\n\n- a list\n\n  ```text\n  1\n  ```\n"
    assert [(block.language, block.code, block.line) for block in blocks(page)] == [
        ("python", "x = 1\n", 3),
        ("text", "1\n", 9),
    ]


def test_other_output_than_the_page_says_fails() -> None:
    compare("10 tasks in ... s\n", "10 tasks in 0.3 s\n")
    with pytest.raises(BlockFailed, match="was printed"):
        compare("10 tasks\n", "9 tasks\n")


def test_console_command_that_fails_fails_the_page() -> None:
    run_console("$ echo one\none\n$ true\n")
    with pytest.raises(BlockFailed, match="ended with 3"):
        run_console("$ exit 3\n")
