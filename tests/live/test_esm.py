import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nbflow.live.esm import join_modules, read_style


@pytest.mark.parametrize("entry", ["watch.js", "progress.js"])
def test_modules_become_one_without_imports(entry: str) -> None:
    text = join_modules(entry)
    assert not re.search(r"^import ", text, re.MULTILINE)
    assert len(re.findall(r"^export ", text, re.MULTILINE)) == 1
    assert text.count("function stateIcon(") == 1


def test_no_name_is_declared_twice() -> None:
    names = re.findall(r"^(?:function|class|const|let) (\w+)", join_modules("watch.js"), re.MULTILINE)
    assert len(names) == len(set(names))


def test_views_reach_for_nothing_on_the_network() -> None:
    urls = re.findall(r"https?://[^'\"\s)]+", join_modules("watch.js") + read_style())
    assert urls == ["http://www.w3.org/2000/svg"]  # a name, not an address


def test_texts_of_users_never_become_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", join_modules("watch.js"))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_the_joined_module_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "graph.mjs"
    path.write_text(join_modules("watch.js"))
    subprocess.run(["node", "--check", path], check=True)
