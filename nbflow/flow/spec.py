"""Own what is known of an app: its function, how its calls are run, which definition is the newest."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, final

from nbflow.core.ids import AppId
from nbflow.core.task import Options
from nbflow.errors import NbflowError, NotMemoizable
from nbflow.flow.recipes import Recipe
from nbflow.journal.rows import AppRow
from nbflow.memo.keys import Binder, Code
from nbflow.wire.fingerprint import Fingerprinter
from nbflow.wire.functions import Function, Portable, era
from nbflow.wire.messages import Directive, Kind
from nbflow.wire.secrecy import conceal_source

__all__ = ["AppSpec", "app_names", "check_name", "newest"]

SOURCE_LIMIT = 20_000

_newest: dict[tuple[str, str], AppSpec] = {}
"""By module and qualified name, for functions that have a name of their own there."""


@final
class AppSpec:
    """Describe one definition of an app.

    `seen` remembers whose admission knows it under which id, and with which options (its defaults filled in).
    """

    __slots__ = (
        "_fingerprinter", "_latest", "_recipe", "binder", "directive", "fn", "ignore", "kind", "module",
        "name", "options", "portable", "seen",
    )  # fmt: skip

    def __init__(
        self,
        fn: Callable[..., Any],
        kind: Kind,
        options: Options,
        portable: Portable | None = None,
        ignore: frozenset[str] = frozenset(),
    ) -> None:
        self.fn = fn
        self.kind = kind
        self.options = options
        self.directive = Directive(kind=kind)
        self.name: str = getattr(fn, "__name__", type(fn).__name__)
        self.module: str = getattr(fn, "__module__", None) or "__main__"
        self.portable = portable or Portable(fn)
        self.ignore = ignore
        self.binder = Binder(fn, ignore) if ignore else None
        self._fingerprinter: Fingerprinter | None = None
        self._recipe: Recipe | None = None
        self._latest: tuple[Function, int, Recipe] | None = None
        self.seen: tuple[object, AppId, Options] | None = None

    def recipe(self, *, travels: bool) -> Recipe:
        """Return how the keys of calls that are made now are told: with the code as it is."""
        if self._fingerprinter is None:
            self._fingerprinter = Fingerprinter(self.fn)
        if self.binder is None:
            self.binder = Binder(self.fn, self.ignore)
        alive = None if travels else self._fingerprinter
        try:
            fingerprint = self._fingerprinter.snapshot()
        except NotMemoizable as error:
            return Recipe(self.binder, None, str(error), alive)
        recipe = self._recipe
        known = recipe and recipe.code and recipe.code.fingerprint
        if recipe is None or known is not fingerprint or recipe.alive is not alive:
            kind = f"{self.kind} strict" if self.directive.is_strict else str(self.kind)
            recipe = self._recipe = Recipe(self.binder, Code(self.name, kind, fingerprint), "", alive)
        return recipe

    def recipe_of(self, function: Function, *, travels: bool) -> Recipe:
        """Return the recipe for `function`, a version of this app's that was taken just now.

        While it is the same copy that travels, its code is looked at once a cell: a look costs 3 us.
        """
        latest = self._latest
        if latest is not None and latest[0] is function and latest[1] == era():
            return latest[2]
        recipe = self.recipe(travels=travels)
        if travels:
            self._latest = function, era(), recipe
        return recipe

    def publish(self) -> None:
        """Make this the definition that a retry of earlier calls uses: called when an app is defined."""
        name = _qualified(self)
        if "<" not in name:
            _newest[self.module, name] = self

    def row(self, app: AppId) -> AppRow:
        """Describe the app for the journal, with its source where there is one."""
        try:
            lines, line = inspect.getsourcelines(inspect.unwrap(self.fn))
            source: str | None = conceal_source("".join(lines)[:SOURCE_LIMIT])
        except (OSError, TypeError, ValueError):
            source, line = None, 0
        return AppRow(app, self.name, self.kind.value, self.module, source, line or None)


def newest(spec: AppSpec) -> AppSpec:
    """Return the newest definition under the same name, which may be `spec` itself.

    Lambdas, functions made inside functions, and those of one `def` in a loop share a name, and none of them
    is a newer definition of another.
    """
    known = _newest.get((spec.module, _qualified(spec)), spec)
    code = getattr(spec.fn, "__code__", None)
    is_same = code is not None and getattr(known.fn, "__code__", None) is code
    return spec if is_same else known


def app_names(specs: Mapping[AppId, AppSpec]) -> set[str]:
    """Return the names of all apps: those that were defined in this process, and those among `specs`."""
    return {spec.name for spec in [*_newest.values(), *specs.values()]}


def check_name(app: str | None, specs: Mapping[AppId, AppSpec]) -> None:
    """Raise NbflowError for an app that nobody has defined, here or among `specs`."""
    known = app_names(specs)
    if app is not None and app not in known:
        near = difflib.get_close_matches(app, known, 1)
        raise NbflowError(f"no app is called {app!r}{f'; did you mean {near[0]!r}?' if near else ''}")


def _qualified(spec: AppSpec) -> str:
    return str(getattr(spec.fn, "__qualname__", spec.name))
