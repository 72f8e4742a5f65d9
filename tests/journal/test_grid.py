from nbflow.journal.grid import aligned, html_table


def test_cells_are_aligned() -> None:
    assert aligned([("a", "bb"), ("ccc", "")]) == "a    bb\nccc"


def test_cells_of_a_table_are_text() -> None:
    table = html_table(["<b>"], [["<script>"]])
    left = ' style="text-align: left"'
    assert table.startswith(f"<table><thead><tr><th{left}>&lt;b&gt;</th></tr></thead>")
    assert f"<td{left}>&lt;script&gt;</td>" in table
