"""Pilots that are started and ended over the server, for real."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.nemesis import eventually
from tests.e2e.test_pilots import processes

pytest.importorskip("ipyparallel")


async def ask(jp_fetch: Any, body: object) -> tuple[int, Any]:
    answer = await jp_fetch(
        "nbflow/api/sessions",
        method="POST",
        body=json.dumps(body),
        headers={"Content-Type": "application/json"},
        request_timeout=60,
        raise_error=False,
    )
    return answer.code, json.loads(answer.body)


async def test_pilots_are_started_listed_and_ended(
    jp_fetch: Any, jp_root_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    code, started = await ask(jp_fetch, {"site": "local", "notebook": "in/night.ipynb", "wait_seconds": 60})
    assert (code, started["site"], started["blocks"]) == (201, "local", 1)
    assert started["notebook"] == str(jp_root_dir / "in" / "night.ipynb"), "as its kernel will call it"
    listed = json.loads((await jp_fetch("nbflow/api/sessions")).body)["sessions"]
    assert [one["name"] for one in listed] == [started["name"]]
    ended = await jp_fetch(f"nbflow/api/sessions/{started['name']}", method="DELETE")
    assert ended.code == 204
    eventually(lambda: not processes(tmp_path))
    entries = json.loads((await jp_fetch("nbflow/api/audit")).body)["entries"]
    assert [(one["action"], one["outcome"]) for one in entries] == [
        ("stop session", "done"),
        ("start session", "done"),
    ]
    assert "night.ipynb" in entries[1]["target"]


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ({}, 400, "site"),
        ({"site": "local"}, 400, "notebook"),
        ({"site": ["local"], "notebook": "a"}, 400, "site"),
        ({"site": "local", "notebook": "a\0b"}, 400, "notebook"),
        ({"site": "local", "notebook": "a", "blocks": 0}, 400, "blocks"),
        ({"site": "local", "notebook": "a", "blocks": True}, 400, "blocks"),
        ({"site": "local", "notebook": "a", "wait_seconds": float("inf")}, 400, "wait_seconds"),
        ({"site": "local", "notebook": "a", "setup": "rm"}, 400, "setup"),
        ({"site": "no-such-site", "notebook": "a"}, 409, "no-such-site"),
        ({"site": "../local", "notebook": "a"}, 409, "slash"),
    ],
)
async def test_A1_what_cannot_be_started_is_refused(
    jp_fetch: Any, given: dict[str, object], code: int, told: str
) -> None:
    refused, answer = await ask(jp_fetch, given)
    assert refused == code
    assert told in answer["message"]
    assert json.loads((await jp_fetch("nbflow/api/sessions")).body)["sessions"] == []
