"""Own what a plan says: for each app how many calls would run anew, how many be reused, and why."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, final, overload

from nbflow.journal.grid import aligned

__all__ = ["AppPlan", "Plan"]

_NUMBERS = ("calls", "reuse", "run", "depends")
_COLUMNS = ("app", *_NUMBERS, "time", "why")


@final
@dataclass(slots=True)
class AppPlan:
    """Count the calls of one app: those `reuse`d, those `run` anew, and those for which it `depends`.

    `seconds` is how long the last two would run, one after the other, measured on earlier calls; None where
    there were none. `why` tells of the first call that is run, or else of the first that depends.
    """

    app: str
    reuse: int = 0
    run: int = 0
    depends: int = 0
    seconds: float | None = None
    why: str = ""

    @property
    def calls(self) -> int:
        """Return how many calls there are."""
        return self.reuse + self.run + self.depends


@final
class Plan(Sequence[AppPlan]):
    """Be what `nbflow.plan` found, one line for each app; `unknown` says where it had to stop, and why."""

    def __init__(self, apps: Sequence[AppPlan], unknown: str = "") -> None:
        self._apps = apps
        self.unknown = unknown

    @overload
    def __getitem__(self, index: int) -> AppPlan: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[AppPlan]: ...
    def __getitem__(self, index: int | slice) -> AppPlan | Sequence[AppPlan]:
        return self._apps[index]

    def __len__(self) -> int:
        return len(self._apps)

    def __iter__(self) -> Iterator[AppPlan]:
        return iter(self._apps)

    def to_values(self) -> dict[str, Any]:
        """Sort out all that it says for JSON."""
        apps = [{"app": one.app, "calls": one.calls, **asdict(one)} for one in self._apps]
        return {"apps": apps, "unknown": self.unknown}

    def __repr__(self) -> str:
        if not self._apps:
            return "\n".join(filter(None, ["nothing is called", self.unknown]))
        table = aligned([_COLUMNS, *map(_cells, self._apps)])
        told = [f"\n{one.app}: {one.why}" for one in self._apps if _is_long(one.why)]
        return "\n".join([table, self._total(), *filter(None, [self.unknown]), *told])

    def _repr_html_(self) -> str:
        if not self._apps:
            return f"<p>nothing is called</p><p>{html.escape(self.unknown)}</p>"
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        body = "".join(_html_row(one) for one in self._apps)
        told = "".join(f"<p>{html.escape(line)}</p>" for line in (self._total(), self.unknown) if line)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{told}"

    def _total(self) -> str:
        run, reuse, depends = (
            sum(getattr(one, name) for one in self._apps) for name in ("run", "reuse", "depends")
        )
        known = [one.seconds for one in self._apps if one.seconds is not None]
        parts = [f"{run} to run", f"{reuse} to reuse"]
        if depends:
            parts.append(f"{depends} that depend on what runs")
        if known:
            parts.append(f"about {_duration(sum(known))} of work")
        return ", ".join(parts)


def _cells(one: AppPlan) -> list[str]:
    numbers = [str(getattr(one, name)) for name in _NUMBERS]
    time = "" if one.seconds is None else _duration(one.seconds)
    return [one.app, *numbers, time, _gist(one.why)]


def _html_row(one: AppPlan) -> str:
    *cells, gist = map(html.escape, _cells(one))
    if _is_long(one.why):
        gist = f"<details><summary>{gist}</summary><pre>{html.escape(one.why)}</pre></details>"
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in (*cells, gist))}</tr>"


def _is_long(why: str) -> bool:
    """Tell whether a line has no room for it: there is a diff, or more than one thing changed."""
    return why.count("\n") > 1


def _gist(why: str) -> str:
    """Return the line that says what changed: the first is what was compared with."""
    lines = why.splitlines() or [""]
    return lines[min(1, len(lines) - 1)].removeprefix("miss: ")


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
