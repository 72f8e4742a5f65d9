import json
from pathlib import Path

import pytest

from nbflow.cli import main, site_checks
from nbflow.sites.checks import Check


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    found = [Check("login", is_ok=True, found="here")]
    monkeypatch.setattr(site_checks, "check_site", lambda *_: iter(found))
    return found


def test_sites_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sites", "list"]) == 0
    told = capsys.readouterr().out
    assert "local" in told
    assert "LUMI, CSC (untested)" in told


def test_a_wrong_description_is_in_the_list(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "nbflow.toml").write_text("[sites.mine]\ntitel = 'x'\n")
    assert main(["sites", "list", "--json"]) == 1
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["site"] == "mine"]
    assert "did you mean title?" in row["problem"]


def test_a_site_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "nbflow.toml").write_text("[sites.lumi]\naccount = 'abc'\n")
    assert main(["sites", "show", "lumi"]) == 0
    assert "account" in capsys.readouterr().out
    assert main(["sites", "show", "lumi", "--origin"]) == 0
    assert f"{project / 'nbflow.toml'}, line 2" in capsys.readouterr().out
    assert main(["sites", "show", "lumi", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["account"] == "abc"


def test_an_unknown_site_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sites", "show", "lumii"]) != 0
    assert "did you mean lumi?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["sites", "check", "local"], ["doctor", "local"]], ids=" ".join)
def test_a_site_is_checked(
    words: list[str], findings: list[Check], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert "site local: no problems found" in capsys.readouterr().out
    findings.append(Check("clock", is_ok=False, found="slow", advice="wind it up"))
    assert main(words) == 1
    assert "-> wind it up" in capsys.readouterr().out
    assert main([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[1] == {
        "name": "clock",
        "is_ok": False,
        "found": "slow",
        "advice": "wind it up",
    }
