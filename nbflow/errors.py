"""Own every exception that nbflow raises on purpose.

    NbflowError
    ├── ConfigError                a configuration, executor name or option that cannot be right
    │   └── InvalidResources       resources that no slot can ever give
    ├── NotLoaded                  an app was called while no dataflow kernel is loaded
    ├── AppTypeError               an app was declared or called with what it cannot take
    ├── EnvMismatch                a pilot that runs another Python, nbflow or dill than this process
    ├── JournalError               a journal that cannot be opened, read or written
    │   └── QueryError             SQL that is no SELECT, has a mistake, or asks for too much
    ├── ResultsError               finished results that cannot be found, read or believed
    ├── ControlError               a live run that cannot be reached, or a command that it cannot take
    ├── SiteError                  a site that cannot be reached, or did not do what it was asked
    │   ├── AuthExpired            the login has ended, and only a person can log in again
    │   └── SiteFileMissing        a file that is not there
    ├── ProviderError              a batch system that refused, or whose answer cannot be read
    │   └── SubmitUncertain        a job that may or may not have been accepted
    ├── NoCapsule                  no record of a failure, or none that can be used for what was asked
    ├── NotMemoizable              a value that has no canonical form, so that equal ones could be told
    ├── NotPlannable               a result that only running gives, asked for inside nbflow.plan
    └── TaskError                  something happened to one task; all its errors carry `.task`
        ├── AppTimeout             its walltime ended
        ├── BlockTooShort          it ran as long as a block lasts, and was not through
        ├── AppExited              it called sys.exit or raised a BaseException
        ├── BashExitFailure        its command ended with a non-zero exit code
        ├── MissingOutputs         it ended without the files that it promised
        ├── DependencyError        a task that it waits for failed: `.root` is the first cause
        ├── JoinError              what a join app returned cannot be waited for
        ├── WorkerLost             its worker process died: `.reason` says how
        ├── NotPicklable           a value that cannot travel: `.path` says where it sits
        ├── NotReadable            a value that travelled and cannot be read where it arrived
        └── RemoteError            the original exception could not travel; this tells what it said

An exception that a task's own code raised keeps its type and arrives with its remote traceback as
`__cause__`.
"""

from __future__ import annotations

from typing import Any, final

__all__ = [
    "AppExited",
    "AppTimeout",
    "AppTypeError",
    "AuthExpired",
    "BashExitFailure",
    "BlockTooShort",
    "ConfigError",
    "ControlError",
    "DependencyError",
    "EnvMismatch",
    "InvalidResources",
    "JoinError",
    "JournalError",
    "MissingOutputs",
    "NbflowError",
    "NoCapsule",
    "NotLoaded",
    "NotMemoizable",
    "NotPicklable",
    "NotPlannable",
    "NotReadable",
    "ProviderError",
    "QueryError",
    "RemoteError",
    "RemoteTraceback",
    "ResultsError",
    "SiteError",
    "SiteFileMissing",
    "SubmitUncertain",
    "TaskError",
    "WorkerLost",
]


class NbflowError(Exception):
    """Be the base of everything nbflow raises on purpose."""


class ConfigError(NbflowError, ValueError):
    """Say which setting cannot be right, and what would be."""


@final
class InvalidResources(ConfigError):
    """Say which resource was asked for that no slot can give."""


@final
class NotLoaded(NbflowError, RuntimeError):
    """Say that no dataflow kernel is loaded here, and how to load one."""


@final
class AppTypeError(NbflowError, TypeError):
    """Say which argument or declaration an app cannot take."""


@final
class EnvMismatch(NbflowError):
    """Say what a pilot runs, what this process runs, and that both have to be the same."""


class JournalError(NbflowError):
    """Say why a journal cannot be opened, read or written."""


@final
class QueryError(JournalError):
    """Say why SQL over a journal is not answered: it is no SELECT, has a mistake, or asks for too much."""


@final
class ResultsError(NbflowError):
    """Say that results that a run finished cannot be found, read or believed."""


@final
class ControlError(NbflowError):
    """Say why a live run cannot be reached from outside, or what it cannot take."""


class SiteError(NbflowError):
    """Say what a site could not do, and what to do about it."""


@final
class AuthExpired(SiteError):
    """Say that the login to a site has ended, and how to log in again."""


@final
class SiteFileMissing(SiteError, FileNotFoundError):
    """Name the file that a site does not have."""


class ProviderError(NbflowError):
    """Say what a batch system refused, in its own words, or which answer of it cannot be read."""


@final
class SubmitUncertain(ProviderError):
    """Say that a job may or may not have been accepted: submit it again under the same name."""


@final
class NoCapsule(NbflowError):
    """Say that a failure left no record, or what of it was not kept, and what to do instead."""


@final
class NotMemoizable(NbflowError, TypeError):
    """Say what has no canonical form, and where it sits (`path`, as `['model'].lock`)."""

    def __init__(self, message: str = "", *, path: str = "") -> None:
        super().__init__(message)
        self.path = path

    def within(self, place: str) -> NotMemoizable:
        """Return the same, seen from one level further out."""
        return NotMemoizable(str(self.args[0]), path=place + self.path)

    def __str__(self) -> str:
        return f"{self.path}: {self.args[0]}" if self.path else str(self.args[0])


@final
class NotPlannable(NbflowError):
    """Say that code asks for what only running its calls can give, while nbflow.plan runs none."""


class TaskError(NbflowError):
    """Be the base of errors about one task.

    `task` is the task's id in its run (0 when unknown); the text is for people.
    """

    def __init__(self, message: str = "", *, task: int = 0) -> None:
        super().__init__(message)
        self.task = task

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[TaskError], args: tuple[Any, ...], state: dict[str, Any]) -> TaskError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


@final
class AppTimeout(TaskError, TimeoutError):
    """Say that a task was stopped because its walltime (seconds) ended."""


@final
class AppExited(TaskError):
    """Say that a task tried to end its worker: `sys.exit`, or a `BaseException` of its own."""


@final
class BashExitFailure(TaskError):
    """Say with which exit code a command ended, and what it wrote to stderr last."""

    def __init__(self, message: str = "", *, exit_code: int, task: int = 0) -> None:
        super().__init__(message, task=task)
        self.exit_code = exit_code


@final
class BlockTooShort(TaskError):
    """Say how long a task ran, and that no block lasts longer (`seconds`, `lifetime`)."""

    def __init__(
        self, message: str = "", *, seconds: float = 0.0, lifetime: float = 0.0, task: int = 0
    ) -> None:
        super().__init__(message, task=task)
        self.seconds = seconds
        self.lifetime = lifetime


@final
class MissingOutputs(TaskError):
    """Name the promised output files that are not there."""

    def __init__(self, message: str = "", *, paths: tuple[str, ...] = (), task: int = 0) -> None:
        super().__init__(message, task=task)
        self.paths = paths


@final
class DependencyError(TaskError):
    """Name the failure that kept a task from running; `root` is that exception, `root_task` its task."""

    def __init__(
        self,
        message: str = "",
        *,
        root: BaseException | None = None,
        root_task: int = 0,
        task: int = 0,
    ) -> None:
        super().__init__(message, task=task)
        self.root = root
        self.root_task = root_task


@final
class JoinError(TaskError):
    """Say why what a join app returned cannot be waited for, or which child failed."""


@final
class WorkerLost(TaskError):
    """Say how the worker process of a task died: exit code, signal, out of memory."""

    def __init__(self, message: str = "", *, reason: str = "unknown", task: int = 0) -> None:
        super().__init__(message, task=task)
        self.reason = reason


@final
class NotPicklable(TaskError, TypeError):
    """Name the place inside an argument or a result (as `args[0]['model'].lock`) that cannot travel."""

    def __init__(self, message: str = "", *, path: str = "", task: int = 0) -> None:
        super().__init__(message, task=task)
        self.path = path


@final
class NotReadable(TaskError):
    """Say why something that arrived cannot be read: a missing module, code of its own that raised."""


@final
class RemoteError(TaskError):
    """Stand for an exception that could not travel; `type_name` is the name of its original type."""

    def __init__(self, message: str = "", *, type_name: str = "", task: int = 0) -> None:
        super().__init__(message, task=task)
        self.type_name = type_name


@final
class RemoteTraceback(Exception):
    """Carry the traceback of the other side as text, shown as the cause of a task's exception."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"
