"""Own where marks stand: layers from left to right, in each the marks of one app together in a block. Pure.

A block is filled column by column, so a mark keeps its place in the block while the block grows. Units are
those of a mark at its natural size; what is drawn is scaled.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

__all__ = ["CARD", "DOT", "FEWEST_ROWS", "Arrangement", "Block", "Cell", "arrange"]

GAP = 76.0
NARROW_GAP = 30.0
MANY_LAYERS = 60
CAPTION = 22.0
BLOCK_GAP = 18.0
ASPECT = 2.6
FEWEST_ROWS = 8
MOST_ROWS = 256


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """Give the room that one mark takes."""

    width: float
    height: float


DOT = Cell(22.0, 22.0)
CARD = Cell(196.0, 70.0)


@final
@dataclass(frozen=True, slots=True)
class Block:
    """Place the marks of one app in one layer: `x`, `y` is the upper left corner of its marks."""

    app: int
    layer: int
    count: int
    is_card: bool
    x: float
    y: float
    width: float
    height: float


@final
@dataclass(frozen=True, slots=True)
class Arrangement:
    """Place each mark by its centre. `rows` is the height of a full block, for the next arrangement."""

    x: array[float]
    y: array[float]
    blocks: tuple[Block, ...]
    rows: int


_Groups = dict[tuple[int, int, bool], list[int]]


def arrange(
    layers: Sequence[int], apps: Sequence[int], cards: Sequence[int], *, rows: int = FEWEST_ROWS
) -> Arrangement:
    """Place marks given by the layer and app of each, and whether it is a card (1) or a dot (0).

    Blocks are at least `rows` high; they get higher when the whole would be too wide to look at.
    """
    groups: _Groups = {}
    for mark, key in enumerate(zip(layers, apps, map(bool, cards), strict=True)):
        groups.setdefault(key, []).append(mark)
    stacks: dict[int, list[tuple[int, int, bool]]] = {}
    for key in groups:
        stacks.setdefault(key[0], []).append(key)
    gap = GAP if len(stacks) <= MANY_LAYERS else NARROW_GAP
    rows = _best_rows(groups, stacks, gap, rows)

    xs, ys = array("f", bytes(4 * len(layers))), array("f", bytes(4 * len(layers)))
    blocks: list[Block] = []
    left = 0.0
    for layer in sorted(stacks):
        width, height = _stack_size(groups, stacks[layer], rows)
        top = -height / 2
        for key in stacks[layer]:
            block = _fill(groups[key], key, left, top + CAPTION, rows, xs, ys)
            blocks.append(block)
            top = block.y + block.height + BLOCK_GAP
        left += width + gap
    return Arrangement(xs, ys, tuple(blocks), rows)


def _fill(
    marks: list[int],
    key: tuple[int, int, bool],
    left: float,
    top: float,
    rows: int,
    xs: array[float],
    ys: array[float],
) -> Block:
    layer, app, is_card = key
    cell = CARD if is_card else DOT
    for place, mark in enumerate(marks):
        column, row = divmod(place, rows)
        xs[mark] = left + (column + 0.5) * cell.width
        ys[mark] = top + (row + 0.5) * cell.height
    width, height = _block_size(len(marks), rows, cell)
    return Block(app, layer, len(marks), is_card, left, top, width, height)


def _block_size(count: int, rows: int, cell: Cell) -> tuple[float, float]:
    return math.ceil(count / rows) * cell.width, min(count, rows) * cell.height


def _stack_size(groups: _Groups, keys: list[tuple[int, int, bool]], rows: int) -> tuple[float, float]:
    sizes = [_block_size(len(groups[key]), rows, CARD if key[2] else DOT) for key in keys]
    height = sum(height + CAPTION for _, height in sizes) + BLOCK_GAP * (len(sizes) - 1)
    return max(width for width, _ in sizes), height


def _best_rows(
    groups: _Groups, stacks: dict[int, list[tuple[int, int, bool]]], gap: float, fewest: int
) -> int:
    """Choose the block height, a power of two, that brings the whole nearest to the shape of a view."""

    def strain(rows: int) -> float:
        sizes = [_stack_size(groups, keys, rows) for keys in stacks.values()]
        width = sum(width for width, _ in sizes) + gap * (len(sizes) - 1)
        return abs(math.log(width / max(height for _, height in sizes) / ASPECT))

    choices = [fewest]
    while choices[-1] < MOST_ROWS:
        choices.append(choices[-1] * 2)
    return min(choices, key=strain) if groups else fewest
