"""Own what a user may ask and do about one task: `future.task`."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from nbflow.core.states import REOPENABLE, State
from nbflow.core.task import Task
from nbflow.errors import NbflowError, NoCapsule
from nbflow.flow.former.bonds import why_bound
from nbflow.flow.futures.owner import Owner
from nbflow.flow.futures.why import Why
from nbflow.flow.request import Request

if TYPE_CHECKING:
    from nbflow.journal.reader import Reader
    from nbflow.postmortem.capsule import Capsule

__all__ = ["TaskHandle"]


@final
class TaskHandle:
    """Show one task and steer it. Looking never runs anything."""

    __slots__ = ("_kernel", "_task")

    def __init__(self, kernel: Owner, task: Task) -> None:
        self._kernel = kernel
        self._task = task

    @property
    def id(self) -> int:
        """Return the task's number in its run, as the views show it."""
        return self._task.id

    @property
    def name(self) -> str:
        """Return the name of the app."""
        return self._kernel.app_name(self._task)

    @property
    def state(self) -> str:
        """Return where the task stands: waiting, queued, running, done, failed, upstream_failed ..."""
        return self._task.state.name.lower()

    @property
    def attempts(self) -> list[Any]:
        """Return the tries so far, oldest first, with slot, times and what went wrong (from the journal)."""
        with self._reader() as reader:
            return list(reader.attempts(self.id))

    @property
    def inputs(self) -> dict[str, str]:
        """Return a short picture of each argument; empty once the task is done and they are let go."""
        return self._kernel.inputs_of(self._task)

    @property
    def stdout(self) -> str | None:
        """Return the path of the file that takes the standard output, or None."""
        return self._path_of("stdout")

    @property
    def stderr(self) -> str | None:
        """Return the path of the file that takes the standard error, or None."""
        return self._path_of("stderr")

    def logs(self) -> str:
        """Return what the task wrote: kept parts of stdout and stderr of its tries, oldest first."""
        with self._reader() as reader:
            return "".join(output.text for output in reader.outputs(self.id))

    def why(self) -> Why:
        """Return why the latest try ran where it did, or what keeps a task that is queued, paused or held.

        For a task that was retried by hand: who asked for it, and whether its code is another one. For a task
        whose result is remembered: whether it was known, and if not what had changed, as a diff of its code
        or arguments. It is a text, which a notebook shows in colour.
        """
        with self._reader() as reader:
            repairs = reader.repairs(self.id)
        repaired = str(repairs[-1]) if repairs else None
        told = (self._kernel.why_remembered(self._task), repaired, self._why_there())
        return Why("\n".join(filter(None, told)))

    def _why_there(self) -> str | None:
        waits = self._kernel.why_waiting(self._task)
        if waits is not None:
            return waits
        sent = [attempt for attempt in self.attempts if attempt.slot is not None]
        is_told = self._task.options.memoized or why_bound(self._task) is not None
        if not sent:
            story = f"task {self.id} is {self.state.replace('_', ' ')}: it has not been sent anywhere"
            return None if is_told else story
        last = sent[-1]
        if last.why is None and is_told:
            return None
        why = last.why or "no other executor could take it"
        return f"try {last.try_id} of task {self.id} went to {last.slot}: {why}"

    def cancel(self) -> bool:
        """Cancel the task, also while it runs; return whether it is cancelled by this."""
        return bool(self._kernel.cancel([self._task]))

    def retry(
        self,
        fn: Callable[..., Any] | None = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Run the task again, changed or not, and with it what failed because of it.

        `fn` replaces the function for this task alone; without it the newest definition of the app is used.
        `options` such as memory='8 GB', walltime=60 or sites='here' are changed for this task alone. The
        futures you hold become pending again and then resolve. Raises NbflowError when the task has not
        failed, ConfigError or InvalidResources for options that cannot be, AppTypeError for arguments that
        the function does not take.
        """
        if self._task.state not in REOPENABLE:
            raise NbflowError(
                f"task {self.id} is {self.state}: only failed, cancelled and held tasks can be retried"
            )
        request = Request(fn=fn, args=args, kwargs=kwargs, options=options, why=f"task {self.id}")
        self._kernel.retry([self._task], request)

    def release(self) -> bool:
        """Hold the task, or what it holds, no longer; return whether anything ends by it."""
        return bool(self._kernel.release([self._task]))

    def capsule(self) -> Capsule:
        """Return the record of the task's last failure. Raises NoCapsule when there is none."""
        if self._task.state is State.UPSTREAM_FAILED:
            root = self._task.failure.root  # type: ignore[union-attr]
            raise NoCapsule(f"task {self.id} was not run, because task {root} failed: look at that one")
        found: Capsule = self._kernel.capsule(self.id)
        return found

    def debug(self) -> None:
        """Open a debugger at the last failure, with the variables as they were. Raises NoCapsule."""
        self.capsule().debug()

    def replay(self, fn: Callable[..., Any] | None = None, **changes: Any) -> Any:
        """Run the call that failed again in this process, and open a debugger where it fails.

        `fn` replaces the function, `changes` arguments by name. Return what the call returns.
        """
        return self.capsule().replay(fn, **changes)

    def as_test(self, path: Path | str | None = None) -> Path:
        """Write a pytest file that fails as the task did, and passes once it is mended; return its path."""
        return self.capsule().as_test(path)

    def _reader(self) -> Reader:
        from nbflow.journal.reader import open_run

        self._kernel.journal.flush()
        return open_run(self._kernel.journal.address)

    def _path_of(self, stream: str) -> str | None:
        call = self._task.call
        target = getattr(call.directive, stream) if call is not None else None
        return None if target is None else target.path

    def __repr__(self) -> str:
        return f"<task {self.id} {self.name}: {self.state.replace('_', ' ')}, try {self._task.try_id}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"
