import json

import pytest

from nbflow.cli import main
from nbflow.journal.writer import Journal

from .conftest import RUN

QUERY = "SELECT state, count(*) AS n FROM tasks WHERE app = 'area' GROUP BY state ORDER BY n DESC, state"


def test_a_run_is_asked(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "last", QUERY]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["state            n", "done             1"]


def test_answers_are_json_and_csv_for_programs(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", RUN[:8], QUERY, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {"state": "done", "n": 1}
    assert main(["sql", "last", "--csv", "SELECT 'a,b' AS x, NULL AS y, 1.5 AS z"]) == 0
    assert capsys.readouterr().out == 'x,y,z\n"a,b",,1.5\n'


def test_what_is_no_select_is_refused(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "last", "DROP TABLE tasks"]) == 2
    assert capsys.readouterr().err.startswith("nbflow: only SELECT is answered")
