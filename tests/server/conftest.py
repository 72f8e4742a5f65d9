"""A Jupyter server with the extension, and one run that is written by hand."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403

from nbflow.journal.writer import Journal
from tests.journal.sample import write_sample

RUN = "20260101-120000-aaaa"


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"nbflow.server": True}}}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def sample(state: Path) -> Journal:
    journal = write_sample(RUN)
    journal.close("closed")
    return journal


@pytest.fixture
def login_cookie(
    http_server_client: Any, jp_serverapp: Any, jp_base_url: str, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> str:
    """Return what a browser that has logged in sends with every request."""
    url = f"{jp_base_url}login?token={jp_serverapp.identity_provider.token}"
    page = jp_asyncio_loop.run_until_complete(
        http_server_client.fetch(url, raise_error=False, follow_redirects=False)
    )
    return "; ".join(line.split(";")[0] for line in page.headers.get_list("Set-Cookie"))
