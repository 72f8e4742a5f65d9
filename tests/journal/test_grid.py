from nbflow.journal.grid import aligned, html_table


def test_cells_are_aligned() -> None:
    assert aligned([("a", "bb"), ("ccc", "")]) == "a    bb\nccc"


def test_cells_of_a_table_are_text() -> None:
    table = html_table(["<b>"], [["<script>"]])
    assert table.startswith("<table><thead><tr><th>&lt;b&gt;</th></tr></thead>")
    assert "<td>&lt;script&gt;</td>" in table
