import pytest

from nbflow.journal.reader import Reader
from nbflow.journal.table import SHOWN_ROWS, Table


def test_text_is_aligned(reader: Reader) -> None:
    lines = str(reader.tasks()).splitlines()
    assert lines[0].split()[:4] == ["task", "app", "state", "try"]
    assert len({line.index(word) for line, word in zip(lines[1:3], ("done", "failed"), strict=True)}) == 1
    assert lines[2].endswith("ValueError: negative")


def test_a_long_table_says_how_much_it_hides(reader: Reader) -> None:
    table = Table([reader.task(1)] * (SHOWN_ROWS + 5))
    assert str(table).endswith("... and 5 more")
    assert "... and 5 more" in table._repr_html_()
    assert len(table.to_text(rows=1000).splitlines()) == SHOWN_ROWS + 6


def test_html_is_escaped(reader: Reader) -> None:
    assert ">area(100)</td>" in reader.tasks()._repr_html_()
    record = reader.task(1)
    bad = type(record)(**{name: getattr(record, name) for name in record.__slots__} | {"call": "<script>"})
    assert "<script>" not in Table([bad])._repr_html_()


def test_an_empty_table_says_so() -> None:
    assert str(Table([])) == "no tasks"
    assert Table([])._repr_html_() == "<p>no tasks</p>"


def test_it_is_a_sequence(reader: Reader) -> None:
    table = reader.tasks()
    assert [record.task for record in table[1:3]] == [2, 3]
    assert isinstance(table[1:3], Table)
    assert table[-1].task == 5


def test_it_becomes_a_data_frame(reader: Reader) -> None:
    pytest.importorskip("pandas")
    frame = reader.tasks().to_frame()
    assert list(frame["task"]) == [1, 2, 3, 4, 5]
    assert list(frame["state"])[:2] == ["DONE", "FAILED"]
    assert str(frame["submitted"].dt.tz) == "UTC"
    assert frame["finished"].isna().tolist() == [False, False, False, True, True]
