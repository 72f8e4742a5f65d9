"""Sessions over real OpenSSH servers: every way to log in, host keys, lost connections."""

import getpass
import json
import re
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from nbflow.errors import AuthExpired, SiteError
from nbflow.sites.model import Authentication, Login
from nbflow.sites.ssh import SshSession
from tests.contracts.sessions import SessionContract, receive_all

from .services import Service


class TestSshSession(SessionContract):
    @pytest.fixture(autouse=True)
    def use(self, sshd: Service) -> None:
        self.sshd = sshd

    def make(self) -> SshSession:
        return SshSession(Login(host="nbflow-self", ssh_config=self.sshd.env["NBFLOW_SSH_CONFIG"]))


class Person:
    """Somebody who knows the password and has the device, and notes what was asked."""

    def __init__(self, sshd: Service) -> None:
        self.sshd = sshd
        self.asked: list[tuple[str, bool]] = []
        self.thread: threading.Thread | None = None

    def __call__(self, prompt: str, is_secret: bool) -> str:
        self.asked.append((prompt, is_secret))
        self.thread = threading.current_thread()
        is_code = "code" in prompt.lower()
        return self.sshd.call("totp") if is_code else self.sshd.env["NBFLOW_SSH_PASSWORD"]


@pytest.fixture
def person(sshd: Service) -> Person:
    return Person(sshd)


def login(sshd: Service, host: str, **settings: object) -> Login:
    authentication = Authentication.INTERACTIVE
    config = {"ssh_config": sshd.env["NBFLOW_SSH_CONFIG"], "authentication": authentication, **settings}
    return Login(host=host, **config)  # type: ignore[arg-type]


@pytest.fixture
def own_config(sshd: Service, tmp_path: Path) -> Path:
    """Copy the SSH configuration and the known hosts, for a test to change."""
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(Path(sshd.env["NBFLOW_SSH_KNOWN_HOSTS"]).read_text())
    config = tmp_path / "config"
    text = Path(sshd.env["NBFLOW_SSH_CONFIG"]).read_text()
    config.write_text(re.sub(r"UserKnownHostsFile .*", f"UserKnownHostsFile {known_hosts}", text))
    return config


@pytest.mark.parametrize(
    ("host", "questions"),
    [("nbflow-key", 0), ("nbflow-password", 1), ("nbflow-2fa", 2), ("nbflow-keytotp", 1)],
)
def test_each_way_to_log_in_asks_once(sshd: Service, person: Person, host: str, questions: int) -> None:
    session = SshSession(login(sshd, host), person)
    assert session.run(["id", "-un"]).stdout == "nbflow\n"
    assert session.get("/etc/hostname")
    session.close()
    assert len(person.asked) == questions
    assert all(is_secret and prompt.startswith(f"{host}: ") for prompt, is_secret in person.asked)
    assert person.thread in (None, threading.current_thread())


def test_wrong_answers_are_given_a_few_times_only(sshd: Service) -> None:
    asked: list[str] = []
    with pytest.raises(SiteError, match="refused the login"):
        SshSession(login(sshd, "nbflow-password"), lambda prompt, _: asked.append(prompt) or "wrong")
    assert 1 <= len(asked) <= 3


def test_a_login_by_keys_never_asks(sshd: Service, person: Person) -> None:
    with pytest.raises(SiteError, match=r"set login\.authentication = 'interactive'"):
        SshSession(login(sshd, "nbflow-2fa", authentication=Authentication.KEY), person)
    assert person.asked == []


def test_an_interrupted_answer_ends_the_login(sshd: Service) -> None:
    def interrupted(prompt: str, is_secret: bool) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SshSession(login(sshd, "nbflow-password"), interrupted)
    assert "nbflow-ssh" not in [thread.name for thread in threading.enumerate()]


def test_hosts_on_the_way_are_logged_in_to(sshd: Service, person: Person) -> None:
    session = SshSession(login(sshd, "nbflow-self", jump="nbflow-2fa,nbflow-key"), person)
    assert session.run(["sh", "-c", "echo $SSH_CONNECTION"]).stdout
    assert [prompt.partition(":")[0] for prompt, _ in person.asked] == ["nbflow-2fa"] * 2
    session.close()


def test_proxy_jump_of_the_configuration_is_followed(own_config: Path) -> None:
    text = own_config.read_text()
    own_config.write_text(f"Host nbflow-self\n    ProxyJump nbflow-key\n{text}")
    session = SshSession(Login(host="nbflow-self", ssh_config=str(own_config)))
    assert session.run(["id", "-un"]).stdout == f"{getpass.getuser()}\n"
    assert len(session._link._connections) == 2
    session.close()


def test_F16_a_changed_host_key_is_a_hard_stop(sshd: Service, own_config: Path, person: Person) -> None:
    key = own_config.with_name("other")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    known_hosts = own_config.with_name("known_hosts")
    other = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    known_hosts.write_text(re.sub(r"ssh-ed25519 \S+", other, known_hosts.read_text()))
    with pytest.raises(SiteError, match="HAS CHANGED"):
        SshSession(login(sshd, "nbflow-password", ssh_config=str(own_config)), person)
    assert person.asked == []


@pytest.mark.parametrize("files", ["empty", "none"])
def test_A12_an_unknown_host_is_told_with_its_fingerprint(
    sshd: Service, own_config: Path, person: Person, files: str
) -> None:
    if files == "none":
        own_config.write_text(re.sub(r"(UserKnownHostsFile) .*", r"\1 none", own_config.read_text()))
    else:
        own_config.with_name("known_hosts").write_text("")
    with pytest.raises(SiteError, match="is not known here: it shows SHA256:"):
        SshSession(login(sshd, "nbflow-password", ssh_config=str(own_config)), person)
    assert person.asked == []


def drop(session: SshSession) -> None:
    """Lose the connection as a network does: the server's side of it dies."""
    with pytest.raises(SiteError):
        session.run(["sh", "-c", "kill -9 $PPID; sleep 5"])


def test_F16_a_lost_connection_is_made_again(sshd: Service) -> None:
    session = SshSession(Login(host="nbflow-self", ssh_config=sshd.env["NBFLOW_SSH_CONFIG"]))
    with socket.create_server(("127.0.0.1", 0)) as server:
        forward = session.forward("127.0.0.1", server.getsockname()[1])
        drop(session)
        assert session.run(["echo", "back"]).stdout == "back\n"
        with socket.create_connection((forward.host, forward.port), 20) as near:
            far, _ = server.accept()
            with far:
                far.sendall(b"through")
            assert receive_all(near) == b"through"
    session.close()


def test_F16_a_lost_login_that_asked_is_not_repeated(sshd: Service, person: Person) -> None:
    session = SshSession(login(sshd, "nbflow-2fa"), person)
    asked = len(person.asked)
    drop(session)
    with pytest.raises(AuthExpired, match="open the site again"):
        session.run(["true"])
    assert len(person.asked) == asked
    session.close()


class Cable:
    """A way to a port of this machine that can be cut, so that neither end is told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cut: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._sockets = [self._server]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Swallow what is sent from now on; connections that come later go through."""
        self._cut = set(self._sockets)

    def close(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += (near, far)
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(1 << 16):
                if source not in self._cut:
                    target.sendall(content)


def test_F16_a_connection_that_is_half_open_is_noticed_and_made_again(
    sshd: Service, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbflow.sites.login.KEEPALIVE_SECONDS", 0.3)
    text = own_config.read_text()
    cable = Cable(int(re.search(r"Host nbflow-self\b.*?Port (\d+)", text, re.DOTALL)[1]))  # type: ignore[index]
    known_hosts = own_config.with_name("known_hosts")
    key = re.search(r"ssh-ed25519 \S+", known_hosts.read_text())
    known_hosts.write_text(f"[127.0.0.1]:{cable.port} {key[0]}\n")  # type: ignore[index]
    session = SshSession(Login(host="nbflow-self", port=cable.port, ssh_config=str(own_config)))
    try:
        assert session.run(["echo", "there"]).stdout == "there\n"
        cable.cut()
        with pytest.raises(SiteError):
            session.run(["echo", "lost"], timeout_seconds=30)
        assert session.run(["echo", "back"]).stdout == "back\n"
    finally:
        session.close()
        cable.close()


def test_a_host_that_is_not_there_is_named(sshd: Service) -> None:
    with pytest.raises(SiteError, match="nbflow-self cannot be reached"):
        SshSession(login(sshd, "nbflow-self", port=1))


def test_a_site_is_checked_over_ssh(sshd: Service, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "nbflow.toml").write_text(
        f"""
[sites.mine]
python = "{sys.executable}"
working_directory = "{tmp_path}/work"
login.host = "nbflow-self"
login.ssh_config = "{sshd.env["NBFLOW_SSH_CONFIG"]}"
"""
    )
    words = [sys.executable, "-c", "from nbflow.cli import main; exit(main())", "doctor", "mine", "--json"]
    ran = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    checks = {check["name"]: check for check in json.loads(ran.stdout)}
    assert [check for check in checks.values() if not check["is_ok"]] == []
    assert ran.returncode == 0
    assert checks["login"]["found"].startswith("nbflow-self")
