"""Own the names that things have inside one run."""

from __future__ import annotations

from typing import NewType

__all__ = ["AppId", "ExecutorId", "NodeId", "SlotId", "TaskId", "TryId"]

TaskId = NewType("TaskId", int)
"""1, 2, 3 ... in the order of submission within a run."""

TryId = NewType("TryId", int)
"""0 before the first try of a task, then 1, 2, 3 ...; never reused within the task."""

AppId = NewType("AppId", int)
"""1, 2, 3 ... in the order in which a run first saw the app."""

SlotId = NewType("SlotId", str)
"""`executor/worker`, or `executor/node/worker`: room for one call; a refilled worker is a new slot."""

ExecutorId = NewType("ExecutorId", str)
"""The label of an executor, unique in a configuration."""

NodeId = NewType("NodeId", str)
"""A computer of an executor, unique within it; a pilot that comes back is a new node."""
