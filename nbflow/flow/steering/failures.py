"""Own `nbflow.failures()`: what failed in a run, in groups, and the hand on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final, overload

from nbflow.errors import NbflowError
from nbflow.flow.current import current, is_loaded
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.request import Request
from nbflow.flow.steering.selection import choose, describe_choice
from nbflow.journal.grid import html_table
from nbflow.journal.reader import open_run
from nbflow.postmortem.capsule import Capsule, open_capsule
from nbflow.postmortem.triage import FailureGroup, read_groups

if TYPE_CHECKING:
    from nbflow.postmortem.triage import Reason

__all__ = ["Failures", "Group", "failures"]

SHOWN_NUMBERS = 8


@final
class Group:
    """Be tasks that failed for one reason, and do the same to all of them.

    `reason`, `error`, `message`, `place`, `numbers`, `blocked` and `advice` say what it is.
    """

    def __init__(self, found: FailureGroup, run: str, kernel: DataFlowKernel | None) -> None:
        self._found = found
        self._run = run
        self._kernel = kernel

    @property
    def reason(self) -> Reason:
        """Return what is behind the failures."""
        return self._found.reason

    @property
    def error(self) -> str:
        """Return the name of the exception's type."""
        return self._found.error

    @property
    def message(self) -> str:
        """Return what the first of them says."""
        return self._found.message

    @property
    def place(self) -> str:
        """Return where in your code they failed; the app, or what is missing, where that says more."""
        return self._found.place

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the tasks."""
        return self._found.numbers

    @property
    def blocked(self) -> int:
        """Return how many tasks were not run because of them."""
        return self._found.blocked

    @property
    def advice(self) -> str:
        """Say what helps."""
        return self._found.advice

    def retry(self, fn: Callable[..., Any] | None = None, **options: Any) -> int:
        """Run them again, with other options or another function; return how many tasks reopened.

        Takes what `nbflow.retry` takes: memory='16GB', walltime=3600, sites=['other'].
        """
        kernel = self._live()
        why = describe_choice(numbers=self.numbers)
        return kernel.retry(choose(kernel, numbers=self.numbers), Request(fn=fn, options=options, why=why))

    def skip(self, value: Any) -> int:
        """Give them this value instead of running them; return how many reopened, with what waits for them.

        Their futures give the value. The journal says so, and `nbflow.undo()` takes it back.
        """
        kernel = self._live()
        return kernel.skip(choose(kernel, numbers=self.numbers), value)

    def capsule(self) -> Capsule:
        """Return the record of the first of them. Raises NoCapsule."""
        first = self.numbers[0]
        return open_capsule(self._run, first) if self._kernel is None else self._kernel.capsule(first)

    def debug(self) -> None:
        """Open a debugger where the first of them failed. Raises NoCapsule."""
        self.capsule().debug()

    def to_values(self) -> dict[str, Any]:
        """Sort out what can be read for JSON."""
        return self._found.to_values()

    def _live(self) -> DataFlowKernel:
        if self._kernel is None or not self._kernel.is_open:
            raise NbflowError(
                f"the run {self._run} is not loaded here, so its tasks cannot go on. Run its cells again; "
                "what it finished is kept. group.debug() works"
            )
        return self._kernel

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        count = len(self.numbers)
        rest = f"; {self.blocked:,} more wait for {'it' if count == 1 else 'them'}" if self.blocked else ""
        shown = ", ".join(map(str, self.numbers[:SHOWN_NUMBERS]))
        yield f"{count:,} x {self.reason}: {self.message}{rest}"
        yield f"    at    {self.place}"
        yield f"    tasks {shown}{', ...' if count > SHOWN_NUMBERS else ''}"
        yield f"    try   {self.advice}"


@final
class Failures(Sequence[Group]):
    """Be the groups of a run's failures, the largest first; shows itself as text and HTML."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups

    @overload
    def __getitem__(self, index: int) -> Group: ...
    @overload
    def __getitem__(self, index: slice) -> Failures: ...
    def __getitem__(self, index: int | slice) -> Group | Failures:
        if isinstance(index, slice):
            return Failures(self._groups[index])
        return self._groups[index]

    def __len__(self) -> int:
        return len(self._groups)

    def to_values(self) -> list[dict[str, Any]]:
        """Sort out what can be read for JSON."""
        return [group.to_values() for group in self._groups]

    def __repr__(self) -> str:
        return "\n".join(f"[{place}] {group!r}" for place, group in enumerate(self)) or "nothing failed"

    def _repr_html_(self) -> str:
        if not self._groups:
            return "<p>nothing failed</p>"
        head = ("", "tasks", "reason", "error", "where", "try")
        return html_table(head, [list(_cells(place, group)) for place, group in enumerate(self)])


def failures(run: Path | str | None = None) -> Failures:
    """Return what failed in a run, grouped by error, place in your code and reason, the largest group first.

    Without `run` it is the loaded one, whose groups can be retried and skipped; `run` is the name of any run
    of yours, the start of it, or "last". Raises JournalError for no such run.
    """
    kernel = current() if run is None else current() if is_loaded() and current().run_id == run else None
    if kernel is not None:
        kernel.journal.flush()
    with open_run(run or "last" if kernel is None else kernel.journal.address) as reader:
        name = reader.info().run
        return Failures([Group(found, name, kernel) for found in read_groups(reader)])


def _cells(place: int, group: Group) -> Iterator[str]:
    yield f"[{place}]"
    yield f"{len(group.numbers):,}" + (f" (+{group.blocked:,} waiting)" if group.blocked else "")
    yield from (str(group.reason), group.message, group.place, group.advice)
