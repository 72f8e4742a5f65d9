"""What can be asked of the server: each part of a run, and both WebSockets."""

import json
from typing import Any

from nbflow.journal.writer import Journal

from .conftest import RUN


async def test_runs_are_listed(sample: Journal, jp_fetch: Any) -> None:
    (run,) = json.loads((await jp_fetch("nbflow/api/runs")).body)["runs"]
    assert run["run"] == RUN
    assert run["status"] == "ended"
    assert run["tasks"] == {"queued": 1, "joining": 1, "done": 1, "failed": 1, "upstream_failed": 1}


async def test_a_snapshot_counts_by_app(sample: Journal, jp_fetch: Any) -> None:
    told = json.loads((await jp_fetch(f"nbflow/api/runs/{RUN}")).body)
    assert {app["app"]: sum(app["tasks"].values()) for app in told["apps"]} == {"area": 4, "sweep": 1}
    assert (told["seq"], told["live"]) == (15, None)


async def test_parts_of_a_run(sample: Journal, jp_fetch: Any) -> None:
    async def part(name: str) -> Any:
        return json.loads((await jp_fetch(f"nbflow/api/runs/{RUN}/{name}")).body)

    assert [task["task"] for task in (await part("tasks"))["tasks"]] == [5, 4, 3, 2, 1]
    assert (await part("events"))["seq"] == 15
    assert (await part("graph"))["edges"] == [[2, 3], [4, 5]]
    assert (await part("cells"))["cells"] == []
    (group,) = (await part("failures"))["groups"]
    assert (group["apps"], group["error"], group["tasks"], group["blocked"]) == (
        ["area"],
        "ValueError",
        [2],
        1,
    )
    assert (group["reason"], group["place"]) == ("user error", "area in flow.py: line 3")
    assert "edit the function" in group["advice"]
    assert "negative" in group["traceback"]
    assert group["call"] == "area(-1)"
    story = await part("tasks/2")
    assert (len(story["attempts"]), story["children"]) == (2, [3])
    assert (await part("tasks/1/output"))["outputs"][0]["text"] == "hello\n"


async def test_the_report_is_sandboxed(sample: Journal, jp_fetch: Any) -> None:
    answer = await jp_fetch(f"nbflow/api/runs/{RUN}/report")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert b"<html" in answer.body


async def test_metrics_are_text_of_prometheus(sample: Journal, jp_fetch: Any) -> None:
    body = (await jp_fetch("nbflow/api/metrics")).body.decode()
    assert 'nbflow_runs{status="ended"} 1.0' in body


async def test_a_socket_tells_of_all_runs(sample: Journal, jp_ws_fetch: Any) -> None:
    socket = await jp_ws_fetch("nbflow/api/changes")
    told = json.loads(await socket.read_message())
    assert ([run["run"] for run in told["runs"]], told["gone"]) == ([RUN], [])
    socket.close()


async def test_a_socket_tells_a_run_to_its_end(sample: Journal, jp_ws_fetch: Any) -> None:
    socket = await jp_ws_fetch(f"nbflow/api/runs/{RUN}/changes", params={"since": "12"})
    told = json.loads(await socket.read_message())
    assert ([event["seq"] for event in told["events"]], told["over"]) == ([13, 14, 15], True)
    assert await socket.read_message() is None
    assert socket.close_code == 1000
