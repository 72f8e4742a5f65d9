"""Commands reach a live run through its control socket, and are written down."""

import json
import threading
from typing import Any

import nbflow as nf
from nbflow.journal.runs import runs


async def test_a_live_run_is_steered(jp_fetch: Any) -> None:
    gate = threading.Event()
    nf.load(nf.Threads(workers=1))
    try:

        @nf.python_app
        def hold() -> bool:
            return gate.wait(30)

        first, second = hold(), hold()
        (run,) = [info.run for info in runs()]
        told = json.loads((await jp_fetch(f"nbflow/api/runs/{run}")).body)
        assert (told["status"], told["live"]["unfinished"]) == ("running", 2)
        answer = await jp_fetch(
            f"nbflow/api/runs/{run}/commands/cancel",
            method="POST",
            body=json.dumps({"tasks": [second.tid]}),
            headers={"Content-Type": "application/json"},
        )
        assert json.loads(answer.body) == {"cancelled": 1}
        gate.set()
        assert first.result(30)
        assert second.cancelled()
        (entry,) = json.loads((await jp_fetch("nbflow/api/audit")).body)["entries"]
        assert (entry["action"], entry["outcome"]) == ("cancel", "done")
    finally:
        gate.set()
        nf.clear()
