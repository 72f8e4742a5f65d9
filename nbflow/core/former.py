"""Own what a retry changes of a task, kept so that it can be put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

from nbflow.core.ids import AppId, TryId
from nbflow.core.states import State
from nbflow.core.task import Failure, Options, Task

__all__ = ["Former"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """Be a closed task as it was before its retry.

    `call` is whatever stands for the task's call; the core puts it back unread. `foreign` counts the futures
    of others among the arguments that are not done, as of the moment at which it is put back.
    """

    task: Task
    state: State
    try_id: TryId
    failure: Failure | None
    app: AppId
    options: Options
    parents: Sequence[Task]
    children: Sequence[Task]
    value: Any
    call: Any
    future: Any
    can_follow: bool
    foreign: int = 0

    @classmethod
    def of(cls, task: Task, call: Any) -> Self:
        """Keep how a closed task stands; `call` is a copy that nobody changes."""
        return cls(
            task=task,
            state=task.state,
            try_id=task.try_id,
            failure=task.failure,
            app=task.app,
            options=task.options,
            parents=task.parents,
            children=task.children,
            value=task.value,
            call=call,
            future=task.future,
            can_follow=task.can_follow,
        )

    def put_back(self) -> None:
        """Give the task back what it was made of; its state and its links are the graph's to set."""
        task = self.task
        task.app, task.options, task.call = self.app, self.options, self.call
        task.parents, task.children, task.can_follow = self.parents, self.children, self.can_follow
        task.value, task.future = self.value, self.future
