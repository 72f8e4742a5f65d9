"""Own the results that calls of a bundle take from calls before them in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

from nbflow.core.ids import TaskId
from nbflow.wire.bundles import Parcel
from nbflow.wire.messages import Arguments, Upstream
from nbflow.wire.values import Definitions, Encoded, decode

__all__ = ["Handover", "Missing"]


@final
class Missing(Exception):
    """Say that a call cannot start here: a result that it takes is not there, or cannot be read again."""


@final
class Handover:
    """Keep results from the end of one call to the start of another, in the same bundle.

    Each is handed over as it would have come from elsewhere: what takes it may change it.
    """

    def __init__(self, parcels: Iterable[Parcel], definitions: Definitions) -> None:
        self._definitions = definitions
        self._wanted = {task for parcel in parcels for _, task in parcel.upstream}
        self._results: dict[TaskId, Any] = {}

    def keep(self, task: TaskId, value: Any) -> None:
        """Keep the result of a call, plain or encoded, if another waits for it."""
        if task in self._wanted:
            self._results[task] = value

    def complete(self, arguments: Arguments, upstream: Upstream) -> Arguments:
        """Return arguments with the results that belong there. Raises Missing."""
        args, kwargs = list(arguments[0]), dict(arguments[1])
        for place, task in upstream:
            if task not in self._results:
                raise Missing
            value = self._read(self._results[task])
            if isinstance(place, str):
                kwargs[place] = value
            else:
                args[place] = value
        return tuple(args), kwargs

    def _read(self, value: Any) -> Any:
        if type(value) is not Encoded:
            return value
        try:
            return decode(value.data, [bytearray(buffer) for buffer in value.buffers], self._definitions)
        except Exception as error:
            raise Missing from error
