import subprocess
import sys

import pytest

from nbflow.errors import SiteError
from nbflow.sites.local import LocalSession
from nbflow.sites.model import LOCAL, Login, Site
from nbflow.sites.opening import open_session


def test_this_machine_needs_no_login() -> None:
    assert isinstance(open_session(LOCAL), LocalSession)


def test_ssh_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nbflow.sites.ssh", raising=False)
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    for name in ("process", "login", "link", "ways"):
        monkeypatch.delitem(sys.modules, f"nbflow.sites.{name}", raising=False)
    with pytest.raises(SiteError, match=r"pip install 'jupyter-nbflow\[pilots\]'"):
        open_session(Site(name="far", login=Login(host="far.example.org")))


def test_ssh_is_loaded_only_for_a_site_that_needs_it() -> None:
    program = "import nbflow.sites.opening, nbflow.sites.catalogue, sys; print('asyncssh' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
