"""Own the still picture of a run: an SVG for saved notebooks, small, and safe to put into any page. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from nbflow.core.states import State
from nbflow.live.arrange import Arrangement
from nbflow.live.headline import Headline
from nbflow.live.model import RunModel
from nbflow.live.names import draw_names
from nbflow.live.palette import LEGEND, LOOKS, MUTED, TEXT, Look, look_of
from nbflow.live.scene import Scene

__all__ = ["draw_progress", "draw_run"]

WIDTH = 900.0
HEIGHT = 340.0
MARGIN = 26.0
MOST_EDGES = 2_500
MOST_CURVES = 600
FAINTNESS = ((60, 0.8), (500, 0.5), (float("inf"), 0.25))
"""How strong edges are, up to how many of them."""

MOST_SIGNS = 200
FAILED = LOOKS[State.FAILED]
MOST_SCALE = 1.5
LINE = "var(--jp-border-color1, #d3d7de)"


def draw_progress(headline: Headline) -> str:
    """Draw the headline as HTML: the numbers, each state with icon, word and count, and the pace."""
    chips = "".join(
        f'<span style="margin-right:12px">{_icon(LOOKS[state])} {LOOKS[state].word} <b>{count:,}</b></span>'
        for state in LEGEND
        if (count := headline.summary[state])
    )
    return (
        f'<div style="color:{TEXT};margin:4px 0"><b>{headline.progress}</b> '
        f'<span style="color:{MUTED}">{escape(headline.pace)}</span></div><div>{chips}</div>'
    )


def draw_run(scene: Scene, model: RunModel, headline: Headline) -> str:
    """Draw a run as HTML: the headline and the graph. Under 100 kB, because large runs are folded."""
    return draw_progress(headline) + (_draw_graph(scene, model) if scene.marks else "")


def _draw_graph(scene: Scene, model: RunModel) -> str:
    arrangement = scene.arrangement
    left, top, width, height = _bounds(arrangement)
    scale = min(MOST_SCALE, (WIDTH - 2 * MARGIN) / width, (HEIGHT - 2 * MARGIN) / height)
    margin = MARGIN / scale
    width, height = width + 2 * margin, height + 2 * margin
    names = draw_names(arrangement, model, scale=scale, left=left - margin, right=left - margin + width)
    return (
        f'<svg viewBox="{left - margin:.0f} {top - margin:.0f} {width:.0f} {height:.0f}" '
        f'width="{width * scale:.0f}" height="{height * scale:.0f}" role="img" '
        f'style="max-width:100%;height:auto" font-family="sans-serif">'
        f"{_edges(scene)}{_dots(scene, model)}{_cards(scene, model)}{names}</svg>"
    )


def _bounds(arrangement: Arrangement) -> tuple[float, float, float, float]:
    blocks = arrangement.blocks
    left = min(block.x for block in blocks)
    top = min(block.y for block in blocks) - 22
    width = max(block.x + block.width for block in blocks) - left
    height = max(block.y + block.height for block in blocks) - top
    return left, top, width, height


def _edges(scene: Scene) -> str:
    x, y = scene.arrangement.x, scene.arrangement.y
    count = len(scene.edges)
    step = -(-count // MOST_EDGES) or 1
    draw = _curve if count <= MOST_CURVES else _line
    path = "".join(draw(x[a], y[a], x[b], y[b]) for a, b in scene.edges[::step])
    faint = next(strength for most, strength in FAINTNESS if count <= most)
    return f'<path d="{path}" fill="none" stroke="#d3d7de" style="stroke:{LINE}" opacity="{faint}"/>'


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f"M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}"


def _curve(x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (x0 + x1) / 2
    return f"M{x0:.0f} {y0:.0f}C{middle:.0f} {y0:.0f} {middle:.0f} {y1:.0f} {x1:.0f} {y1:.0f}"


def _dots(scene: Scene, model: RunModel) -> str:
    by_state: dict[int, list[int]] = {}
    for number, mark in enumerate(scene.marks):
        if mark.task:
            by_state.setdefault(model.state(mark.task), []).append(number)
    draw = _signs_of if len(scene.marks) <= MOST_SIGNS else _dots_of
    return "".join(draw(look_of(state), marks, scene.arrangement) for state, marks in by_state.items())


def _signs_of(look: Look, marks: Iterable[int], arrangement: Arrangement) -> str:
    """Draw each mark of a state with its sign; a failed task is a square among discs."""
    paper = "var(--jp-layout-color0, #ffffff)"
    fill, sign = (look.css, paper) if look.is_solid else (paper, look.css)
    shape = '<rect x="-7" y="-7" width="14" height="14" rx="2.5"/>' if look is FAILED else '<circle r="7"/>'
    glyph = f'<path d="{look.glyph}" fill="none" style="stroke:{sign}"/>' if look.glyph else ""
    places = "".join(
        f'<g transform="translate({arrangement.x[mark]:.0f} {arrangement.y[mark]:.0f})">{shape}{glyph}</g>'
        for mark in marks
    )
    return (
        f'<g style="fill:{fill};stroke:{look.css}" stroke-width="1.5" stroke-linecap="round" '
        f'stroke-linejoin="round">{places}</g>'
    )


def _dots_of(look: Look, marks: Iterable[int], arrangement: Arrangement) -> str:
    """Draw the marks of a state as one path: a line of no length with a round cap is a dot of nine bytes."""
    path = "".join(f"M{arrangement.x[mark]:.0f} {arrangement.y[mark]:.0f}h0" for mark in marks)
    cap = "square" if look is FAILED else "round"
    strength = 1 if look.is_solid else 0.4
    return (
        f'<path d="{path}" stroke="{look.hex}" style="stroke:{look.css}" stroke-width="14" '
        f'stroke-linecap="{cap}" opacity="{strength}"><title>{look.word}</title></path>'
    )


def _cards(scene: Scene, model: RunModel) -> str:
    x, y = scene.arrangement.x, scene.arrangement.y
    parts = []
    for mark, counts in scene.card_counts(range(len(scene.marks))).items():
        left, top = x[mark] - 88, y[mark] - 28
        name = escape(model.app_name(scene.marks[mark].app)[:18])
        failed = f'<tspan style="fill:{FAILED.css}"> {FAILED.icon} {counts[State.FAILED]:,}</tspan>'
        parts.append(
            f'<rect x="{left:.0f}" y="{top:.0f}" width="176" height="56" rx="7" fill="#ffffff" '
            f'stroke="#d3d7de" style="fill:var(--jp-layout-color1, #ffffff);stroke:{LINE}"/>'
            f'<text x="{left + 11:.0f}" y="{top + 23:.0f}" font-size="12" style="fill:{TEXT}">'
            f'<tspan font-weight="600">{name}</tspan> '
            f"{counts[State.DONE]:,} / {sum(counts):,}{failed if counts[State.FAILED] else ''}</text>"
        )
        parts.append(_bar(counts, left + 11, top + 36))
    return "".join(parts)


def _bar(counts: Iterable[int], left: float, top: float) -> str:
    counts = tuple(counts)
    total = max(1, sum(counts))
    parts = []
    for state in LEGEND:
        width = 154 * counts[state] / total
        if width:
            look = LOOKS[state]
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="6" fill="{look.hex}" '
                f'style="fill:{look.css}" opacity="{1 if look.is_solid else 0.4}"/>'
            )
            left += width
    return "".join(parts)


def _icon(look: Look) -> str:
    return f'<span style="color:{look.css}">{look.icon}</span>'
