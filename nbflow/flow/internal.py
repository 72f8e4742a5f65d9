"""Own the tiny apps that futures need: an item or an attribute of a result that is not there yet."""

from __future__ import annotations

import operator
from typing import Any

from nbflow.core.ids import ExecutorId
from nbflow.core.task import Options
from nbflow.flow.spec import AppSpec
from nbflow.wire.messages import Kind

__all__ = ["DERIVATIONS", "LOCAL", "LOCAL_OPTIONS"]

LOCAL = ExecutorId("here")
"""The executor of what has to run in the user's process: bodies of join apps, and these."""

LOCAL_OPTIONS = Options(executors=frozenset({LOCAL}), memoized=False)


def getitem(value: Any, key: Any) -> Any:
    """Return `value[key]`."""
    return value[key]


def attribute(value: Any, name: str) -> Any:
    """Return the attribute `name` of `value`."""
    return operator.attrgetter(name)(value)


DERIVATIONS = {
    "getitem": AppSpec(getitem, Kind.PYTHON, LOCAL_OPTIONS),
    "attribute": AppSpec(attribute, Kind.PYTHON, LOCAL_OPTIONS),
}
