import pytest

from nbflow.sites.units import nbytes, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4 GB", 4_000_000_000), ("64GiB", 64 << 30), ("1.5 kB", 1500), ("512 B", 512), (" 2 tib ", 2 << 40)],
)
def test_sizes(text: str, expected: int) -> None:
    assert nbytes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 min", 1800),
        ("2 h", 7200),
        ("1.5 hours", 5400),
        ("45s", 45),
        ("2 days", 172_800),
        ("00:30:00", 1800),
        ("1-12:00:00", 129_600),
        ("96:00:00", 345_600),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "GB",
        "-4 GB",
        "nan GB",
        "inf GB",
        "4 GX",
        "4 IB",
        "0 GB",
        "4 GB; rm",
        "1e9 GB",
        "٤ GB",
        "9" * 12 + " PB",
    ],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="give a size with its unit"):
        nbytes(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "-1 h",
        "nan h",
        "30:00",
        "00:61:00",
        "1 fortnight",
        "0 s",
        "00:00:00",
        "367 days",
        "9999-12-31",
        "-00:30:00",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="give a duration with its unit"):
        seconds(text)
