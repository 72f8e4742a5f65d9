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
WIDE_GAP = 170.0
MANY_LAYERS = 60
CAPTION = 22.0
BLOCK_GAP = 18.0
COLUMN_GAP = 70.0
ASPECT = 3.0
LEAST_ASPECT = 1.3
MOST_COLUMNS = 8
VIEW_HEIGHT = 240.0
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


_Key = tuple[int, int, bool]
_Groups = dict[_Key, list[int]]
_Column = list[_Key]


def arrange(
    layers: Sequence[int], apps: Sequence[int], cards: Sequence[int], *, rows: int = FEWEST_ROWS
) -> Arrangement:
    """Place marks given by the layer and app of each, and whether it is a card (1) or a dot (0).

    Blocks are at least `rows` high; they get higher when the whole would be too wide to look at. Where it
    would be too high, the blocks of a layer stand in several columns. Layers stand as far apart as there is
    room: for the names over their blocks.
    """
    groups: _Groups = {}
    for mark, key in enumerate(zip(layers, apps, map(bool, cards), strict=True)):
        groups.setdefault(key, []).append(mark)
    stacks: dict[int, _Column] = {}
    for key in groups:
        stacks.setdefault(key[0], []).append(key)
    gap = GAP if len(stacks) <= MANY_LAYERS else NARROW_GAP
    rows = _best_rows(groups, stacks, gap, rows)
    columns, gap = _spread(groups, [stacks[layer] for layer in sorted(stacks)], rows, gap)

    xs, ys = array("f", bytes(4 * len(layers))), array("f", bytes(4 * len(layers)))
    blocks: list[Block] = []
    left = 0.0
    for layer in columns:
        for column in layer:
            width, height = _stack_size(groups, column, rows)
            top = -height / 2
            for key in column:
                block = _fill(groups[key], key, left, top + _caption(key), rows, xs, ys)
                blocks.append(block)
                top = block.y + block.height + BLOCK_GAP
            left += width + COLUMN_GAP
        left += gap - COLUMN_GAP
    return Arrangement(xs, ys, tuple(blocks), rows)


def _fill(
    marks: list[int],
    key: _Key,
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


def _caption(key: _Key) -> float:
    """Give the room for the name over a block; a card has its name inside."""
    return 0.0 if key[2] else CAPTION


def _stack_size(groups: _Groups, keys: _Column, rows: int) -> tuple[float, float]:
    sizes = [_block_size(len(groups[key]), rows, CARD if key[2] else DOT) for key in keys]
    height = sum(height for _, height in sizes) + sum(map(_caption, keys)) + BLOCK_GAP * (len(sizes) - 1)
    return max(width for width, _ in sizes), height


def _spread(
    groups: _Groups, layers: list[_Column], rows: int, least_gap: float
) -> tuple[list[list[_Column]], float]:
    """Break high layers into columns until the whole is wide enough, and give the gap between layers."""
    columns, gap = [[layer] for layer in layers], least_gap
    most_gap = WIDE_GAP if any(_caption(key) for layer in layers for key in layer) else least_gap
    tallest = max((_stack_size(groups, layer, rows)[1] for layer in layers), default=0.0)
    for parts in range(1, MOST_COLUMNS + 1):
        columns = [_broken(groups, layer, tallest / parts, rows) for layer in layers]
        sizes = [_stack_size(groups, column, rows) for layer in columns for column in layer]
        width = sum(width for width, _ in sizes) + COLUMN_GAP * (len(sizes) - len(layers))
        height = max((height for _, height in sizes), default=0.0)
        between = max(1, len(layers) - 1)
        gap = min(most_gap, max(least_gap, (ASPECT * max(height, VIEW_HEIGHT) - width) / between))
        if height <= VIEW_HEIGHT or width + gap * between >= LEAST_ASPECT * height:
            break
    return columns, gap


def _broken(groups: _Groups, keys: _Column, most: float, rows: int) -> list[_Column]:
    """Break a layer into columns that are at most so high, or of one block."""
    columns: list[_Column] = [[]]
    height = -BLOCK_GAP
    for key in keys:
        more = _stack_size(groups, [key], rows)[1]
        if columns[-1] and height + BLOCK_GAP + more > most:
            columns.append([])
            height = -BLOCK_GAP
        columns[-1].append(key)
        height += BLOCK_GAP + more
    return columns


def _best_rows(groups: _Groups, stacks: dict[int, _Column], gap: float, fewest: int) -> int:
    """Choose the block height, a power of two, that brings the whole nearest to the shape of a view."""

    def strain(rows: int) -> float:
        sizes = [_stack_size(groups, keys, rows) for keys in stacks.values()]
        width = sum(width for width, _ in sizes) + gap * (len(sizes) - 1)
        return abs(math.log(width / max(height for _, height in sizes) / ASPECT))

    choices = [fewest]
    while choices[-1] < MOST_ROWS:
        choices.append(choices[-1] * 2)
    return min(choices, key=strain) if groups else fewest
