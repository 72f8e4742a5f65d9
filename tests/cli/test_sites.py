import json
from pathlib import Path

import pytest

from nbflow.cli import main
from nbflow.config import sites
from nbflow.sites.checks import Check


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    found = [Check("login", is_ok=True, found="here")]
    monkeypatch.setattr(sites, "check_site", lambda *_: iter(found))
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


def test_the_job_script_of_a_site_is_seen_without_a_login(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "nbflow.toml").write_text("[sites.expanse]\naccount = 'abc'\nblock.nodes = 2\n")
    assert main(["sites", "render", "expanse"]) == 0
    told = capsys.readouterr().out
    assert "#SBATCH --nodes=2\n" in told
    assert "#SBATCH --account=abc\n" in told
    assert "\nmodule load cpu\n" in told
    assert "/expanse/lustre/scratch/USER/temp_project/nbflow/pilots/RUN/" in told
    assert told.splitlines()[-1].startswith("exec -- srun ")
    assert main(["sites", "render", "expanse", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"site": "expanse", "script": told}


def test_a_job_that_no_site_could_take_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "nbflow.toml").write_text("[sites.mine]\nscheduler = 'slurm'\nenvironment.A = 'b'\n")
    assert main(["sites", "render", "mine"]) == 0
    assert main(["sites", "render", "mien"]) != 0
    assert "did you mean mine?" in capsys.readouterr().err
