"""Own the names over the blocks of a still picture: none covers a mark or another name. Pure.

The live view measures its letters and does better; here their width is a guess.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from nbflow.live.arrange import Arrangement, Block
from nbflow.live.model import RunModel
from nbflow.live.palette import TEXT

__all__ = ["draw_names"]

SIZE = 12.0
LETTER = 7.2
LIFT = 6.0
MOST_LETTERS = 40
FEW_LETTERS = 13
MOST_NAMES = 200
LEAST_CARD_SCALE = 0.5
"""At a smaller scale, what is written in a card cannot be read."""


class _Box(NamedTuple):
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def draw_names(arrangement: Arrangement, model: RunModel, *, scale: float, left: float, right: float) -> str:
    """Write the names as SVG between two sides, those of large blocks first.

    A name without room is shortened, and left out where even that does not fit.
    """
    taken = [
        _Box(block.x, block.x + block.width, block.y, block.y + block.height) for block in arrangement.blocks
    ]
    named = [block for block in arrangement.blocks if not block.is_card or scale < LEAST_CARD_SCALE]
    parts = []
    for block in sorted(named, key=lambda block: -block.count)[:MOST_NAMES]:
        for letters in (MOST_LETTERS, FEW_LETTERS):
            text = _text(model.app_name(block.app), block.count, letters)
            box = _box(block, len(text) * LETTER / scale, scale, left, right)
            if not any(box.meets(other) for other in taken):
                taken.append(box)
                baseline = block.y - LIFT / scale
                parts.append(f'<text x="{box.left:.0f}" y="{baseline:.0f}">{escape(text)}</text>')
                break
    style = f'font-size="{SIZE / scale:.1f}" style="fill:{TEXT}"'
    return f"<g {style}>{''.join(parts)}</g>"


def _text(name: str, count: int, letters: int) -> str:
    short = name if len(name) <= letters else f"{name[: letters - 1]}…"
    return f"{short} ×{count:,}" if count > 1 else short


def _box(block: Block, width: float, scale: float, left: float, right: float) -> _Box:
    start = block.x if width <= block.width else block.x + (block.width - width) / 2
    start = max(left, min(start, right - width))
    return _Box(start, start + width, block.y - (LIFT + SIZE) / scale, block.y - 1)
