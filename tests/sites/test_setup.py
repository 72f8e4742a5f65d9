from dataclasses import replace
from pathlib import Path

import pytest

from nbflow.sites.local import LocalSession
from nbflow.sites.model import LOCAL
from nbflow.sites.setup import in_setup


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".bash_profile"


def test_profile_and_set_up_lines_come_first_and_say_nothing_in_between(profile: Path) -> None:
    profile.write_text("echo welcome to the cluster; read -r gone; export FROM_PROFILE=profile\n")
    site = replace(LOCAL, setup=("echo module loaded", "export FROM_SETUP='it'\"'\"'s set up'", "cat"))
    command = ("sh", "-c", 'cat; printf "%s|" "$FROM_PROFILE" "$FROM_SETUP" "$@"', "sh", "a b", "$c")
    done = LocalSession().run((*in_setup(site), *command), input=b"script|")
    assert done.stdout == "script|profile|it's set up|a b|$c|"
    assert "welcome to the cluster" in done.stderr
    assert "module loaded" in done.stderr


def test_the_commands_exit_code_is_kept() -> None:
    assert LocalSession().run((*in_setup(LOCAL), "sh", "-c", "exit 7")).exit_code == 7
