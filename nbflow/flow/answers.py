"""Own what the threads beside the flow loop answer it, once they have done what it asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from nbflow.core.events import Event, Returned
from nbflow.core.task import Task
from nbflow.executors.protocol import Receipt
from nbflow.flow.former.past import Sent

__all__ = ["Adoption", "Answer", "Answers", "Joining", "Kept"]


@final
@dataclass(slots=True)
class Kept:
    """Results were kept, or could not be; the events about them go on. So do the receipts behind them."""

    events: Sequence[Returned | Receipt]


@final
@dataclass(slots=True)
class Joining:
    """A join app returned."""

    event: Returned


@final
@dataclass(slots=True)
class Adoption:
    """A try that a former kernel sent away goes on, and its end is to be that of a task."""

    task: Task
    sent: Sent


Answer = Event | Joining | Adoption | Receipt


@final
@dataclass(slots=True)
class Answers:
    """What goes on its way, in order."""

    events: list[Answer]
