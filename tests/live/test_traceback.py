from nbflow.live.traceback import fold, line_in

MIXED = """Traceback (most recent call last):
  File "/home/me/fit.py", line 7, in fit
    return solve(a)
           ~~~~~^^^
  File "/opt/env/lib/python3.12/site-packages/numpy/linalg/_linalg.py", line 409, in solve
    r = gufunc(a, b)
  File "/opt/env/lib/python3.12/site-packages/scipy/linalg/basic.py", line 40, in _raise
    raise LinAlgError("Singular <b>matrix</b>")
  File "<cell 3>", line 12, in on_error
    raise LinAlgError(message)
numpy.linalg.LinAlgError: Singular <b>matrix</b>
  with a second line

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3.12/json/decoder.py", line 3, in decode
ValueError: no
"""


def test_frames_of_libraries_are_folded_and_nothing_is_lost() -> None:
    sections = fold(MIXED)
    assert "".join(section.text for section in sections) == MIXED
    assert [section.title for section in sections] == [
        "", "2 frames of numpy, scipy", "", "1 frame of json", "",
    ]  # fmt: skip
    assert "fit.py" in sections[0].text
    assert "Singular" in sections[2].text


def test_a_text_that_is_no_traceback_is_shown_as_it_is() -> None:
    for text in ("", "killed", "\n\n", '  File "', '  File "x", line 1, in y'):
        assert "".join(section.text for section in fold(text)) == text


def test_the_last_line_that_failed_in_a_file_is_found() -> None:
    assert line_in(MIXED, "<cell 3>") == 12
    assert line_in(MIXED, "/home/me/fit.py") == 7
    assert line_in(MIXED, "elsewhere.py") is None
