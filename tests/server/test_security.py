"""Who may not ask, and what may not be asked: A1, A2, A13 and B1, bad bodies and paths."""

import json
import os
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, seed, settings, strategies
from jupyter_server.utils import url_path_join
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketHandler, websocket_connect

from nbflow.errors import ConfigError
from nbflow.journal.rows import AppRow, OutputRow, TaskRow
from nbflow.journal.writer import Journal
from nbflow.server.app import ROUTES
from nbflow.server.audit import Audit

from .conftest import RUN

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
API = json.loads((Path(__file__).parents[2] / "nbflow/server/openapi.json").read_text())
COMMAND = f"nbflow/api/runs/{RUN}/commands/cancel"
FUZZED = 1000
NOBODY = 65534


VALUES = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(),
    lambda inner: (
        strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = strategies.sampled_from(sorted(API["components"]["schemas"]["Arguments"]["properties"]))
WORDS = strategies.text(strategies.characters(codec="utf-8"), min_size=1, max_size=20)
WORDS |= strategies.integers().map(str)
CASES = strategies.tuples(
    strategies.sampled_from([path for path in API["paths"] if not path.endswith(("/changes", "/report"))]),
    WORDS,
    WORDS,
    strategies.dictionaries(NAMES | strategies.text(), VALUES, max_size=4),
)


def drawn(cases: strategies.SearchStrategy[Any]) -> list[Any]:
    """Draw cases the same each time: the requests themselves have to be awaited."""
    found: list[Any] = []

    @seed(1)
    @settings(max_examples=FUZZED, database=None, deadline=None)
    @given(cases)
    def draw(case: Any) -> None:
        found.append(case)

    draw()
    return found


async def status(fetch: Any, path: str, **given: Any) -> tuple[int, bytes]:
    """Ask, and return the status and the body."""
    try:
        answer = await fetch(path, **given)
    except HTTPClientError as error:
        return error.code, b"" if error.response is None else error.response.body or b""
    return answer.code, answer.body


def concrete(pattern: str) -> str:
    """Write an address that a route takes."""
    path = pattern.replace(r"\.", ".").replace("/?", "").replace("(events|graph|failures|cells)", "events")
    return path.replace("/runs/([^/]+)", f"/runs/{RUN}").replace("([^/]+)", "1").replace("(.*)", "else")


def test_each_route_is_described() -> None:
    patterns = [re.compile(pattern) for pattern, _ in ROUTES[:-1]]
    described = [
        "/nbflow/api" + path.replace("{run}", RUN).replace("{task}", "1").replace("{command}", "cancel")
        for path in API["paths"]
    ]
    for path in described:
        assert any(pattern.fullmatch(path) for pattern in patterns), path
    for pattern in patterns:
        assert any(pattern.fullmatch(path) for path in described), pattern


@pytest.mark.parametrize("is_open", [False, True])
async def test_A1_every_route_refuses_whom_nobody_knows(
    is_open: bool, sample: Journal, jp_serverapp: Any, http_server_client: Any, jp_base_url: str
) -> None:
    jp_serverapp.web_app.settings["allow_unauthenticated_access"] = is_open
    for pattern, _ in ROUTES:
        for method in METHODS:
            code, body = await status(
                http_server_client.fetch,
                url_path_join(jp_base_url, concrete(pattern)),
                method=method,
                body=b"{}" if method in ("POST", "PUT", "PATCH") else None,
                follow_redirects=False,
            )
            assert code in (302, 401, 403), (pattern, method, code)
            assert RUN.encode() not in body


async def test_A1_wrong_tokens_are_refused(sample: Journal, jp_fetch: Any) -> None:
    for token in ("token wrong", "Bearer x", "token "):
        code, _ = await status(jp_fetch, "nbflow/api/runs", headers={"Authorization": token})
        assert code == 403


async def test_A1_who_may_not_is_refused(sample: Journal, jp_serverapp: Any, jp_fetch: Any) -> None:
    async def refuse(*_: object) -> bool:
        return False

    jp_serverapp.authorizer.is_authorized = refuse
    for pattern, handler in ROUTES:
        if not issubclass(handler, WebSocketHandler):
            method = "POST" if "commands" in pattern else "DELETE" if r"sessions/" in pattern else "GET"
            body = b"{}" if method == "POST" else None
            code, _ = await status(jp_fetch, concrete(pattern), method=method, body=body)
            assert code == 403, pattern


async def test_A2_a_cookie_alone_changes_nothing(
    sample: Journal,
    state: Path,
    login_cookie: str,
    http_server_client: Any,
    jp_base_url: str,
    jp_fetch: Any,
) -> None:
    """A page elsewhere can send the cookie, but neither the XSRF value nor our origin."""
    for headers in (
        {"Cookie": login_cookie},
        {"Cookie": login_cookie, "X-XSRFToken": "wrong"},
        {"Cookie": login_cookie, "Content-Type": "text/plain"},
        {"Cookie": login_cookie, "Origin": "http://elsewhere.example"},
    ):
        url = url_path_join(jp_base_url, COMMAND)
        code, _ = await status(http_server_client.fetch, url, method="POST", body=b"{}", headers=headers)
        assert code in (403, 404)
    assert (state / "audit.jsonl").read_text() == ""
    for method in ("GET", "PUT"):
        body = b"{}" if method == "PUT" else None
        assert (await status(jp_fetch, COMMAND, method=method, body=body))[0] == 405


async def test_A2_a_page_of_ours_may(
    sample: Journal, login_cookie: str, http_server_client: Any, jp_base_url: str
) -> None:
    """The control: what the tests above lack is all that they lack."""
    xsrf = "0123456789abcdef" * 2
    url = url_path_join(jp_base_url, COMMAND)
    headers = {"Content-Type": "application/json", "Cookie": f"{login_cookie}; _xsrf={xsrf}"}
    given: dict[str, Any] = {"method": "POST", "body": b"{}"}
    code, body = await status(http_server_client.fetch, url, headers=headers | {"X-XSRFToken": xsrf}, **given)
    assert (code, b"does not live" in body) == (409, True)
    for wrong in ({}, {"X-XSRFToken": xsrf[::-1]}, {"X-XSRFToken": xsrf, "Host": "elsewhere.example"}):
        code, _ = await status(http_server_client.fetch, url, headers=headers | wrong, **given)
        assert code == 403, wrong


async def test_A2_a_socket_from_elsewhere_is_refused(
    sample: Journal, login_cookie: str, jp_http_port: int, jp_base_url: str
) -> None:
    """The cookie alone opens it; a page elsewhere sends that too, and its own origin."""
    url = f"ws://127.0.0.1:{jp_http_port}{jp_base_url}nbflow/api/changes"
    (await websocket_connect(HTTPRequest(url, headers={"Cookie": login_cookie}))).close()
    headers = {"Cookie": login_cookie, "Origin": "http://elsewhere.example"}
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(HTTPRequest(url, headers=headers))
    assert refused.value.code == 403


async def test_A13_markup_is_told_as_text(state: Path, jp_fetch: Any) -> None:
    evil = "<img src=x onerror=alert(1)>"
    journal = Journal.create(RUN)
    journal.apps.append(AppRow(1, evil, "python", "flow", evil, 3))
    journal.tasks.append(TaskRow(1, 1, 1.0, 1, evil, evil, 2, None, None))
    journal.outputs.append(OutputRow(1, 1, "stdout", evil, len(evil)))
    journal.close("closed")
    for part in ("", "/tasks", "/tasks/1", "/tasks/1/output", "/graph", "/failures"):
        answer = await jp_fetch(f"nbflow/api/runs/{RUN}{part}")
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert evil.encode() not in (await jp_fetch(f"nbflow/api/runs/{RUN}/report")).body


@pytest.mark.parametrize(
    "run", ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "last", "a%00b", "x" * 300, "2026", "%2Fetc"]
)
async def test_path_tricks_find_no_run(
    run: str, sample: Journal, http_server_client: Any, jp_base_url: str, jp_auth_header: Any
) -> None:
    for part in ("", "/tasks", "/report", "/events"):
        url = url_path_join(jp_base_url, f"nbflow/api/runs/{run}{part}")
        code, _ = await status(http_server_client.fetch, url, headers=jp_auth_header)
        assert code in (400, 404)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
async def test_sockets_and_journals_of_other_users_are_left_alone(tmp_path: Path, jp_fetch: Any) -> None:
    path = tmp_path / "planted.sock"
    journal = Journal.create(RUN, info={"control": str(path)})
    try:
        with socket.socket(socket.AF_UNIX) as planted:
            planted.bind(str(path))
            os.seteuid(NOBODY)
            planted.listen()
            os.seteuid(0)
            told = json.loads((await jp_fetch(f"nbflow/api/runs/{RUN}")).body)
            assert (told["status"], told["live"]) == ("running", None)
            headers = {"Content-Type": "application/json"}
            seen, body = await status(jp_fetch, COMMAND, method="POST", body=b"{}", headers=headers)
            assert seen == 409
            assert b"belongs to another user" in body
        os.chown(journal.address, NOBODY, -1)
        assert (await status(jp_fetch, f"nbflow/api/runs/{RUN}/tasks"))[0] == 404
    finally:
        os.seteuid(0)
        journal.close("closed")


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"[" * 30_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b'{"by": "root"}', "application/json", 400),
        (b" " * 70_000, "application/json", 413),
        (b"{}", "application/json", 409),  # the run has ended
    ],
)
async def test_malformed_bodies_are_refused_with_a_reason(
    body: bytes, kind: str, code: int, sample: Journal, jp_fetch: Any
) -> None:
    seen, told = await status(jp_fetch, COMMAND, method="POST", body=body, headers={"Content-Type": kind})
    assert seen == code
    assert json.loads(told)["message"]


async def test_what_is_asked_is_written_down_without_secrets(
    sample: Journal, state: Path, jp_fetch: Any
) -> None:
    body = json.dumps({"task": 2, "source": "password = 'hunter2'"}).encode()
    headers = {"Content-Type": "application/json"}
    path = f"nbflow/api/runs/{RUN}/commands/edit"
    assert (await status(jp_fetch, path, method="POST", body=body, headers=headers))[0] == 409
    (entry,) = json.loads((await jp_fetch("nbflow/api/audit")).body)["entries"]
    assert (entry["action"], entry["target"], entry["chosen"]) == ("edit", RUN, {"task": 2})
    assert "hunter2" not in (state / "audit.jsonl").read_text()
    assert (state / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_audit_log_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be opened"):
        Audit(tmp_path / "audit.jsonl")


async def test_B1_no_request_is_answered_with_a_fault_of_the_server(
    sample: Journal, http_server_client: Any, jp_base_url: str, jp_auth_header: dict[str, str]
) -> None:
    for path, word, other, body in drawn(CASES):
        for key in ("run", "task", "command", "session"):
            path = path.replace(f"{{{key}}}", RUN if key == "run" and len(word) % 2 else quote(word, safe=""))
        method = next(iter(API["paths"].get(path, {"get": None}))).upper()
        method = "POST" if "/commands/" in path else "DELETE" if "/sessions/" in path else method
        query = urlencode({"limit": word, "since": other, "state": other, "app": word})
        code, told = await status(
            http_server_client.fetch,
            url_path_join(jp_base_url, f"nbflow/api{path}?{query}"),
            method=method,
            body=json.dumps(body).encode() if method == "POST" else None,
            headers=jp_auth_header | {"Content-Type": "application/json"},
        )
        assert code < 500, (method, path, query, body)
        assert code < 400 or json.loads(told)["message"]
