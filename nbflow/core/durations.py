"""Own how a duration reads."""

from __future__ import annotations

__all__ = ["in_words"]


def in_words(seconds: float) -> str:
    """Write a duration for people: `0.2 s`, `12 s`, `3 min 20 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
