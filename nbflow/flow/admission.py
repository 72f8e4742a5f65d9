"""Own which apps and options a run takes: defaults are filled in, what no executor can meet is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, final

from nbflow.core.ids import AppId, ExecutorId
from nbflow.core.placement import Placement
from nbflow.core.retry import RetryPolicy
from nbflow.core.task import Options
from nbflow.errors import ConfigError, InvalidResources
from nbflow.flow.internal import LOCAL
from nbflow.flow.spec import AppSpec

__all__ = ["Admission", "Defaults"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Say what holds for apps that say nothing."""

    retry: RetryPolicy
    is_memoized: bool = False
    holds: bool = False


@final
class Admission:
    """Know the apps of one run by number, and the options that it takes. `post` tells the loop of an app."""

    def __init__(self, defaults: Defaults, placement: Placement, post: Callable[[Any], object]) -> None:
        self.specs: dict[AppId, AppSpec] = {}
        self._defaults = defaults
        self._placement = placement
        self._post = post
        self._next_app = count(1).__next__
        self._admitted: dict[Options, Options] = {}
        self._registering = threading.Lock()

    def known(self, spec: AppSpec) -> tuple[AppId, Options]:
        """Return the number of an app, and the options with which it runs. Raises as `admit` does."""
        seen = spec.seen
        return seen[1:] if seen is not None and seen[0] is self else self._register(spec)

    def _register(self, spec: AppSpec) -> tuple[AppId, Options]:
        options = self.admit(spec.options)
        with self._registering:
            if spec.seen is None or spec.seen[0] is not self:
                app = AppId(self._next_app())
                self.specs[app] = spec
                self._post(spec.row(app))
                spec.seen = (self, app, options)
        return spec.seen[1:]

    def admit(self, given: Options) -> Options:
        """Return options with the defaults filled in. Raises ConfigError and InvalidResources."""
        options = self._admitted.get(given)
        if options is not None:
            return options
        labels = self._placement.executors
        for label in given.executors:
            if label not in labels:
                known = ", ".join(repr(str(one)) for one in labels if one != ExecutorId(LOCAL))
                raise ConfigError(f"no executor is called {str(label)!r}; this kernel has {known}")
        if not self._placement.can_ever_place(given):
            need = given.resources
            raise InvalidResources(
                f"no executor has room for cores={need.cores}, memory={need.memory}, gpus={need.gpus}"
                f"{f' on {need.nodes} nodes' if need.nodes > 1 else ''}; "
                f"the largest has {self._placement.describe_largest()}"
            )
        defaults = self._defaults
        options = self._admitted[given] = replace(
            given,
            retry=given.retry or defaults.retry,
            memoized=defaults.is_memoized if given.memoized is None else given.memoized,
            holds=defaults.holds if given.holds is None else given.holds,
        )
        return options
