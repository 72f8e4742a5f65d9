import platform
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from nbflow.errors import SiteError
from nbflow.sites.checks import PACKAGES, Check, Here, check_site
from nbflow.sites.local import LocalSession
from nbflow.sites.model import LOCAL, Scheduler, Site

HERE = Here(
    python=platform.python_version(),
    packages={name: metadata.version(name) for name in PACKAGES},
    time=time.time,
    monotonic=time.monotonic,
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return replace(LOCAL, working_directory=str(tmp_path / "work"), python=sys.executable)


def checked(site: Site, here: Here = HERE) -> dict[str, Check]:
    return {check.name: check for check in check_site(site, LocalSession, here)}


def test_this_machine_is_well(site: Site, tmp_path: Path) -> None:
    checks = checked(site)
    assert list(checks) == ["login", "Python", *PACKAGES, "working directory", "quota", "clock"]
    assert [check for check in checks.values() if not check.is_ok] == []
    assert list((tmp_path / "work").iterdir()) == []


def test_other_versions_are_told_with_advice(site: Site) -> None:
    here = replace(HERE, python="3.99.1", packages={**HERE.packages, "dill": "99", "ipyparallel": None})
    checks = checked(site, here)
    assert "use Python 3.99" in checks["Python"].advice
    assert "pip install 'dill==99'" in checks["dill"].advice
    assert "pip install 'jupyter-nbflow[pilots]'" in checks["ipyparallel"].advice
    assert not any(checks[name].is_ok for name in ("Python", "dill", "ipyparallel"))


def test_a_scheduler_that_is_not_there(site: Site) -> None:
    check = checked(replace(site, scheduler=Scheduler.LSF))["scheduler"]
    assert not check.is_ok
    assert "bsub" in check.found
    assert "setup" in check.advice


def test_setup_lines_run_before_everything(site: Site, tmp_path: Path) -> None:
    for command in ("bsub", "bjobs", "bkill"):
        (tmp_path / command).write_text("#!/bin/sh\n")
        (tmp_path / command).chmod(0o700)
    setup = ("echo loaded a module", f"export PATH={tmp_path}:$PATH")
    checks = checked(replace(site, scheduler=Scheduler.LSF, setup=setup))
    assert checks["scheduler"] == Check("scheduler", is_ok=True, found="lsf: bsub, bjobs, bkill")
    assert checks["Python"].is_ok


def test_a_site_that_names_no_python_is_checked_for_that_of_this_process(site: Site) -> None:
    assert sys.executable in checked(replace(site, python="python3"))["Python"].found


def test_an_interpreter_that_is_not_there(site: Site) -> None:
    checks = checked(replace(site, python="/no/such/python"))
    assert not checks["Python"].is_ok
    assert "clock" not in checks


def test_a_directory_that_cannot_be_written(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check = checked(replace(site, working_directory=str(tmp_path / "file" / "below")))["working directory"]
    assert not check.is_ok
    assert "working_directory" in check.advice


def test_a_quota_that_is_used_up_is_told_in_the_file_systems_words(site: Site, tmp_path: Path) -> None:
    command = tmp_path / "quota"
    command.write_text("#!/bin/sh\necho ' /dev/sda  104* 100  110  6days  9 0 0'\nexit 1\n")
    command.chmod(0o700)
    check = checked(replace(site, setup=(f"export PATH={tmp_path}:$PATH",)))["quota"]
    assert check.found == "used up: /dev/sda 104* 100 110 6days 9 0 0"
    assert "working_directory" in check.advice


def test_a_variable_that_is_not_set_there(site: Site) -> None:
    checks = list(check_site(replace(site, working_directory="$NBFLOW_NOT_SET/x"), LocalSession, HERE))
    assert any(check.name == "working directory" and "NBFLOW_NOT_SET" in check.found for check in checks)


def test_a_clock_that_is_wrong(site: Site) -> None:
    check = checked(site, replace(HERE, time=lambda: time.time() + 3600))["clock"]
    assert not check.is_ok
    assert "differs by" in check.found


def test_a_login_that_fails_is_all_that_is_told(site: Site) -> None:
    def refused() -> LocalSession:
        raise SiteError("x refused the login")

    assert [(check.name, check.is_ok) for check in check_site(site, refused, HERE)] == [("login", False)]
