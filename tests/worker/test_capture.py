import pytest

from nbflow.worker.capture import HEAD_NBYTES, TAIL_NBYTES, Kept


def test_short_text_is_kept_whole() -> None:
    kept = Kept()
    kept.add(b"one ")
    kept.add("zwölf".encode())
    assert kept.take() == ("one zwölf", 10)
    assert kept.take() == ("", 0)


@pytest.mark.parametrize("piece", [1, 7, 1_000, 50_000])
def test_long_text_keeps_its_ends_however_it_comes(piece: int) -> None:
    data = bytes(range(33, 127)) * 2_000
    kept = Kept()
    for start in range(0, len(data), piece):
        kept.add(data[start : start + piece])
    text, nbytes = kept.take()
    left_out = len(data) - HEAD_NBYTES - TAIL_NBYTES
    head, tail = data[:HEAD_NBYTES].decode(), data[-TAIL_NBYTES:].decode()
    assert nbytes == len(data)
    assert text == f"{head}\n[... {left_out:,} bytes left out ...]\n{tail}"


def test_text_that_just_fits_is_not_cut() -> None:
    kept = Kept()
    kept.add(b"x" * (HEAD_NBYTES + TAIL_NBYTES))
    assert kept.text() == "x" * (HEAD_NBYTES + TAIL_NBYTES)


def test_bytes_that_are_no_text_are_shown_somehow() -> None:
    kept = Kept()
    kept.add(b"\xff\xfe")
    assert len(kept.text()) == 2
