"""Own how people write sizes and durations. A number without a unit is refused: it could be any."""

from __future__ import annotations

import re

__all__ = ["DURATIONS", "LONGEST_SECONDS", "SIZES", "nbytes", "seconds"]

SIZES = "a size with its unit, such as '4 GB' or '64 GiB'"
DURATIONS = "a duration with its unit, such as '30 min', '2 h', '00:30:00' or '1-12:00:00'"
LONGEST_SECONDS = 366 * 86_400.0
LARGEST_NBYTES = 1 << 60

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([KMGTP]?i?)B", re.ASCII | re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]+)", re.ASCII | re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d{1,6})-)?(\d{1,6}):([0-5]\d):([0-5]\d)", re.ASCII)
_SPANS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}


def nbytes(text: str) -> int:
    """Return the bytes that `text` stands for: kB is 1000 of them, KiB 1024. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"give {SIZES}")
    prefix = match[2].upper()
    base = 1024 if prefix.endswith("I") else 1000
    size = int(float(match[1]) * base ** ("KMGTP".index(prefix[0]) + 1 if prefix.rstrip("I") else 0))
    if prefix == "I" or not 1 <= size <= LARGEST_NBYTES:
        raise ValueError(f"give {SIZES}, more than nothing and at most 1024 PiB")
    return size


def seconds(text: str) -> float:
    """Return the seconds that `text` stands for. Raises ValueError."""
    stripped = text.strip()
    if match := _CLOCK.fullmatch(stripped):
        days, hours, minutes, rest = (int(part or 0) for part in match.groups())
        span = float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
    elif (match := _SPAN.fullmatch(stripped)) and match[2].lower() in _SPANS:
        span = float(match[1]) * _SPANS[match[2].lower()]
    else:
        raise ValueError(f"give {DURATIONS}")
    if not 0 < span <= LONGEST_SECONDS:
        raise ValueError(f"give {DURATIONS}, more than nothing and at most 366 days")
    return span
