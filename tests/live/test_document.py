import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nbflow.cli import main
from nbflow.live.document import write_report

from .sample import SampleRun

EVIL = "<script>alert(1)</script>\x1b[31m</svg>\"'&"


def test_a_report_is_one_file_that_reaches_for_nothing(run: SampleRun, tmp_path: Path) -> None:
    first = run.submit("train", at=10.0)
    second = run.submit("score", [first], at=10.0)
    run.start(first, at=10.5)
    run.finish(first, seconds=1.0, at=11.6)
    run.start(second, at=12.0)
    run.fail(second)
    run.publish()
    path = write_report(run.address, tmp_path / "run.html")
    page = path.read_text()
    for title in ("Failures", "Progress", "Timeline", "Resources", "Tasks", "Environment"):
        assert f"<h2>{title}</h2>" in page
    assert "depth must be positive, not 0" in page
    assert "model.fit(images[train], labels[train])" in page
    assert re.findall(r"(?:src|href)=", page) == []
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
    for drawing in re.findall(r"<svg xmlns.*?</svg>", page):
        ElementTree.fromstring(drawing)
    assert list(tmp_path.glob(".run.html*")) == []


def test_markup_in_names_and_outputs_stays_text(run: SampleRun, tmp_path: Path) -> None:
    task = run.submit(EVIL, call=EVIL)
    run.start(task, slot=EVIL)
    run.print(task, EVIL)
    run.fail(task, message=EVIL)
    run.publish()
    page = write_report(run.address, tmp_path / "run.html").read_text()
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert len(re.findall("<svg", page)) == len(re.findall("</svg>", page))
    for drawing in re.findall(r"<svg xmlns.*?</svg>", page):
        ElementTree.fromstring(drawing)


def test_a_run_without_tasks_has_a_report_too(run: SampleRun, tmp_path: Path) -> None:
    assert "0 of 0 tasks done" in write_report(run.address, tmp_path / "run.html").read_text()


def test_the_command_line_writes_it_and_refuses_what_is_not_there(
    run: SampleRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.submit("f")
    run.publish()
    assert main(["report", "sample", "-o", str(tmp_path / "out.html")]) == 0
    assert "wrote" in capsys.readouterr().out
    assert main(["report", "nothing-like-it"]) == 2
    assert main(["report", "sample", "-o", str(tmp_path / "no" / "out.html")]) == 2


def test_a_report_that_cannot_be_put_there_leaves_nothing_behind(run: SampleRun, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_report(run.address, tmp_path / "taken")
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
