"""Draw the page about a task's states from the core's transition table.

`make docs` runs this; a test keeps what it writes current.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbflow.core.diagram import diagram
from nbflow.core.events import DepFailed
from nbflow.core.states import Cause, State
from nbflow.core.transitions import TABLE, Row, stay

HERE = Path(__file__).parent
PAGE = HERE / "state-machine.md"
PICTURE = HERE / "images" / "state-machine.svg"

EVERYWHERE = {"CancelRequested", "Paused", "Resumed", "Undone"}
ASIDE_STATES = {State.CANCELLED, State.PAUSED}
HAVE_INPUTS = {State.READY, State.STAGING_IN, State.QUEUED, State.STAGING_OUT, State.BACKOFF}

PLACES: dict[State, tuple[float, float]] = {  # column, row
    State.NEW: (0, 0),
    State.WAITING: (1, 0),
    State.READY: (2, 0),
    State.STAGING_IN: (3, 0),
    State.QUEUED: (4, 0),
    State.RUNNING: (5, 0),
    State.STAGING_OUT: (6, 0),
    State.DONE: (7, 0),
    State.BACKOFF: (3, 1),
    State.JOINING: (6, 1),
    State.UPSTREAM_FAILED: (1, 2),
    State.HELD: (3, 2),
    State.FAILED: (5, 2),
}

MEANINGS: dict[State, str] = {
    State.NEW: "made, not yet in the graph",
    State.WAITING: "waits for the results of other tasks",
    State.READY: "has its inputs; a stored result is looked up if the app is cached",
    State.STAGING_IN: "its input files are brought to where it will run",
    State.QUEUED: "waits for a free slot",
    State.RUNNING: "is with a worker that runs it, or runs what it waits for just before",
    State.STAGING_OUT: "its output files are brought to where they are wanted",
    State.JOINING: "its body has returned futures and it waits for them, holding no slot",
    State.BACKOFF: "waits before another try",
    State.PAUSED: "could run, but its user or the place where it would run says not now",
    State.DONE: "has its result",
    State.FAILED: "failed, and no retry is left",
    State.UPSTREAM_FAILED: "never ran, because a task it needs failed",
    State.CANCELLED: "was cancelled",
    State.HELD: 'waits for a task that failed to be retried; its app says `on_failure="hold"`',
}

CAUSES: dict[Cause, str] = {
    Cause.RAISED: "The app raised",
    Cause.LOST: "The process that ran it died or fell silent",
    Cause.TIMEOUT: "Its walltime ended",
    Cause.OOM: "The system killed it for want of memory",
    Cause.EXPIRED: "The block that ran it reached its walltime",
    Cause.RECALLED: "It was taken back before it started, to run elsewhere",
    Cause.STAGING: "A file could not be brought where it was needed",
}

WIDTH, HEIGHT, MARGIN = 118, 34, 22
COLUMN, ROW, TOP = 138, 105, 105

TONES = {"onward": "#607d8b", "again": "#ef8f00", "failed": "#d6453d"}
LOOKS = {
    State.DONE: "done",
    State.FAILED: "bad",
    State.UPSTREAM_FAILED: "bad",
    State.BACKOFF: "wait",
    State.HELD: "wait",
}
STYLE = """<style>
  text { fill: #fff; font: 11.5px sans-serif; text-anchor: middle }
  rect { fill: #607d8b } .done rect { fill: #2e7d4f } .bad rect { fill: #c0392b } .wait rect { fill: #b26a00 }
  path { fill: none; stroke-width: 1.5 }
  .onward { stroke: #607d8b } .again { stroke: #ef8f00 } .failed { stroke: #d6453d }
</style>"""
MARKER = (
    '<marker id="{tone}" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
    '<polygon points="0,0 8,4 0,8" fill="{colour}"/></marker>'
)

TEMPLATE = """\
<!-- Written by docs/state_machine.py from the table in nbflow.core.transitions: change that. -->

# States of a task

A task's life is one table, `nbflow.core.transitions.TABLE`. This page is drawn from it.

![The states of a task and the changes between them](images/state-machine.svg)

Grey leads onward, orange to another try, red to a failure. Left out, because they apply everywhere:
`CancelRequested` leads from any state that is not final to `CANCELLED`; `Paused` and `Resumed` to `PAUSED`
and back; `RetryRequested` reopens a task that is `FAILED`, `UPSTREAM_FAILED`, `CANCELLED` or `HELD`; `Undone`
leads from any state to the one in which such a retry found the task. That takes results back, and whatever
has not come to its end with one of them is told so by `DepFailed`.

| state | a task in it |
|---|---|
{states}

| why a try failed | |
|---|---|
{causes}

| in state | event | leads to |
|---|---|---|
{events}

??? note "The picture as Mermaid text"

    ```mermaid
{mermaid}
    ```
"""


@dataclass(frozen=True, slots=True)
class Arrow:
    """One change of state that an event can cause."""

    source: State
    event: str
    target: State

    @property
    def tone(self) -> str:
        """Name the colour: what failed, what starts again, everything else."""
        if self.target in (State.FAILED, State.UPSTREAM_FAILED):
            return "failed"
        is_back = (
            self.target is State.BACKOFF or self.source is State.BACKOFF or self.event.endswith("Failed")
        )
        return "again" if is_back else "onward"


def changes(row: Row) -> Iterator[Arrow]:
    """Yield every change of state that one row of the table allows, but for results that are taken back."""
    if row.rule is stay:
        return
    for source in sorted(set(row.states) - (HAVE_INPUTS if row.event is DepFailed else set())):
        for target in row.targets:
            if target is not source:
                yield Arrow(source, row.event.__name__, target)


def main_arrows() -> list[Arrow]:
    """Return the arrows of the picture: what happens to a task that nobody cancels, pauses or reopens."""
    return [
        arrow
        for row in TABLE
        if row.event.__name__ not in {*EVERYWHERE, "RetryRequested"}
        for arrow in changes(row)
        if not {arrow.source, arrow.target} & ASIDE_STATES and not arrow.source.is_final
    ]


def centre(state: State) -> tuple[float, float]:
    """Return where the middle of a state's box is."""
    column, row = PLACES[state]
    return MARGIN + WIDTH / 2 + column * COLUMN, TOP + row * ROW


def path(arrow: Arrow) -> str:
    """Return the line of an arrow: straight to a neighbour, in an arc over or under what lies between."""
    (x1, y1), (x2, y2) = centre(arrow.source), centre(arrow.target)
    half_width, half_height = WIDTH / 2, HEIGHT / 2
    if y1 != y2:
        down = 1 if y2 > y1 else -1
        start, end = (x1 + (x2 - x1) * 0.12, y1 + down * half_height), (x2, y2 - down * (half_height + 5))
        bend = (end[0], (start[1] + end[1]) / 2)
        return f"M{start[0]:.0f} {start[1]:.0f}Q{bend[0]:.0f} {bend[1]:.0f} {end[0]:.0f} {end[1]:.0f}"
    if x2 > x1 and x2 - x1 <= COLUMN:
        return f"M{x1 + half_width:.0f} {y1:.0f}H{x2 - half_width - 5:.0f}"
    over = -1 if x2 > x1 else 1
    lift = over * (18 + 0.11 * abs(x2 - x1))
    start_x, end_x = x1 - over * 18, x2 + over * 18
    edge = over * half_height
    return (
        f"M{start_x:.0f} {y1 + edge:.0f}C{start_x:.0f} {y1 + edge + lift:.0f} "
        f"{end_x:.0f} {y1 + edge + lift:.0f} {end_x:.0f} {y1 + edge + over * 5:.0f}"
    )


def picture() -> str:
    """Return the state diagram as an SVG that reads on a light and on a dark page."""
    width = 2 * MARGIN + 7 * COLUMN + WIDTH
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 355" role="img">',
            "<title>The states of a task</title>",
            STYLE,
            *(MARKER.format(tone=tone, colour=colour) for tone, colour in TONES.items()),
            *(line(arrow) for arrow in dict.fromkeys(main_arrows())),
            *(box(state) for state in PLACES),
            "</svg>",
            "",
        ]
    )


def line(arrow: Arrow) -> str:
    """Return an arrow as SVG, with its event as the tooltip."""
    title = f"{arrow.source.name}: {arrow.event} leads to {arrow.target.name}"
    marker = f'marker-end="url(#{arrow.tone})"'
    return f'<path class="{arrow.tone}" d="{path(arrow)}" {marker}><title>{title}</title></path>'


def box(state: State) -> str:
    """Return a state as SVG."""
    x, y = centre(state)
    left, top = x - WIDTH / 2, y - HEIGHT / 2
    return (
        f'<g class="{LOOKS.get(state, "live")}">'
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}">{state.name.replace("_", " ")}</text></g>'
    )


def events() -> list[str]:
    """Return a table row for each event that leads a task from one state to others."""
    targets: dict[tuple[State, str], set[State]] = {}
    for row in TABLE:
        for arrow in changes(row):
            is_shown = arrow.event == "RetryRequested" or not arrow.source.is_final
            if is_shown and arrow.source is not State.PAUSED and arrow.event not in EVERYWHERE:
                targets.setdefault((arrow.source, arrow.event), set()).add(arrow.target)
    return [
        f"| `{source.name}` | `{event}` | {', '.join(f'`{state.name}`' for state in sorted(found))} |"
        for (source, event), found in sorted(targets.items())
    ]


def page() -> str:
    """Return the page: picture, what each state means, and every event that changes something."""
    return TEMPLATE.format(
        states="\n".join(f"| `{state.name}` | {MEANINGS[state]} |" for state in State),
        causes="\n".join(f"| `{cause.name}` | {CAUSES[cause]} |" for cause in Cause),
        events="\n".join(events()),
        mermaid=textwrap.indent(diagram().rstrip(), "    "),
    )


def main() -> None:
    """Write the page and its picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture())
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
