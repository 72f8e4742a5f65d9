"""A real JupyterLab in a real Chromium, for tests: a server with a home of its own, a notebook to drive."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
]

FOLDERS = {  # what the server would otherwise look for in the user's home
    "HOME": "home",
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}

QUIET = {"fetchNews": "false", "checkForUpdates": False}
START_SECONDS = 60


class Lab:
    """A running JupyterLab server whose notebooks are in `folder`; close it when done."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "notebooks"
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = root / "jupyterlab.log"
        for name in ("notebooks", *FOLDERS.values()):
            (root / name).mkdir()
        settings = root / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.url.rpartition(':')[2]}"),
            *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.folder}"),
            "--ServerApp.jpserver_extensions=nbflow.server=True",  # also where nbflow is not installed anew
            *("--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"),
        ]
        environment = {
            **os.environ,
            **{variable: str(root / name) for variable, name in FOLDERS.items()},
            "JUPYTER_TOKEN": self.token,
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self._await_start()

    def get(self, path: str) -> Any:
        """Return what the server's REST API answers."""
        return self._ask("GET", path)

    def end_kernels(self) -> None:
        """End every kernel, as a closed laptop would."""
        for session in self.get("/api/sessions"):
            self._ask("DELETE", f"/api/sessions/{session['id']}")

    def restart_kernels(self) -> None:
        """Restart every kernel, as a person in another tab would."""
        for kernel in self.get("/api/kernels"):
            self._ask("POST", f"/api/kernels/{kernel['id']}/restart")

    def close(self) -> None:
        """End every kernel, then the server."""
        self.end_kernels()
        self._process.terminate()
        self._process.wait(timeout=30)

    def _ask(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            body = response.read()
        return json.loads(body) if body else None

    def _await_start(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.get("/api/status")
            except OSError:
                time.sleep(0.2)
            else:
                return
        self._process.kill()
        self._process.wait()
        raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text()}")


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def open_lab(page: Page, lab: Lab, path: str = "") -> None:
    """Open JupyterLab in an empty workspace, at the file `path` if one is given."""
    page.goto(f"{lab.url}/lab{f'/tree/{path}' if path else ''}?reset&token={lab.token}")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)


KERNEL = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"


class Notebook:
    """The notebook that is in front, with a kernel that is ready."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.panel.wait_for()
        try:
            self._wait_until_idle()
        except PlaywrightTimeoutError:
            # Rarely a kernel of Jupyter's never answers Lab's first question; people restart it.
            kernel = page.evaluate(f"() => [{KERNEL}?.status, {KERNEL}?.connectionStatus]")
            print(f"{page.url}: the kernel is {kernel}, and is started again")
            page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
            self._wait_until_idle()

    def _wait_until_idle(self) -> None:
        self.page.wait_for_function(f"() => {KERNEL}?.status === 'idle'", timeout=45_000)

    def cell(self, index: int) -> Locator:
        """Return a cell, counted from 0."""
        return self.panel.locator(".jp-Notebook .jp-Cell").nth(index)

    def start(self, index: int) -> Locator:
        """Run a code cell and return its output area without waiting for the end."""
        cell = self.cell(index)
        cell.locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Control+Enter")
        return cell.locator(".jp-OutputArea").first

    def run(self, index: int, seconds: float = 60) -> Locator:
        """Run a code cell to its end and return its output area."""
        output = self.start(index)
        self.page.wait_for_function(
            "index => { const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];"
            " return cell.model.executionCount !== null && cell.prompt !== '*' }",
            arg=index,
            timeout=seconds * 1000,
        )
        return output
