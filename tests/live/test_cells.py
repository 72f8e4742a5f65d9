from types import SimpleNamespace

import pytest

from nbflow.live import cells

TRACEBACK = """Traceback (most recent call last):
  File "/made/up/77.py", line 2, in train
  File "/real/model.py", line 112, in fit
"""


def test_cells_are_named_as_ipython_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = SimpleNamespace(format_code_name={"/made/up/77.py": ("Cell", "In[5]")}.get)
    monkeypatch.setattr(cells, "get_ipython", lambda: SimpleNamespace(compile=compiler))
    assert cells.name_cells(TRACEBACK).splitlines()[1:] == [
        "  Cell In[5], line 2, in train",
        '  File "/real/model.py", line 112, in fit',
    ]


def test_outside_of_ipython_nothing_is_named() -> None:
    assert cells.name_cells(TRACEBACK) == TRACEBACK
