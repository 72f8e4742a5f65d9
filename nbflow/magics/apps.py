"""Own the cell magics: a cell whose body becomes an app."""

# IPython's decorators carry no types.
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import argparse
import ast
from typing import Any, final

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from nbflow.apps.decorators import bash_app, python_app
from nbflow.errors import AppTypeError
from nbflow.flow.options import OPTION_NAMES
from nbflow.magics.cells import bash_source, define, python_source

__all__ = ["AppMagics"]

_DECLARATIONS = (
    argument("app_name", nargs="?", help="name of the app (or --name)"),
    argument("--name", help="name of the app"),
    argument("--inputs", nargs="*", default=[], help="parameters, with defaults if any: n seed=0"),
    argument("--walltime", type=float, help="seconds after which a call is stopped"),
    argument("--retries", type=int, help="how often a failed call is tried again"),
    argument("--cores", type=int, help="cores that a call occupies"),
    argument("--memory", help="memory that a call needs, such as 2GB"),
    argument("--gpus", type=int, help="GPUs that a call occupies"),
    argument("--executors", nargs="*", metavar="LABEL", help="labels of the executors that may run it"),
    argument("--priority", type=int, help="higher goes first"),
    argument("--on-failure", choices=("fail", "hold"), help="what tasks do that wait for a failed call"),
    argument("--label", help="what views show instead of the app's name"),
    argument("--strict", action="store_true", default=None, help="a command runs with set -e -u -o pipefail"),
)


def _declared(function: Any) -> Any:
    for declare in reversed(_DECLARATIONS):
        function = declare(function)
    return function


@final
@magics_class
class AppMagics(Magics):
    """Define apps by cells."""

    shell: Any

    @no_var_expand
    @magic_arguments()
    @_declared
    @argument("--bash", action="store_true", help="the cell is a command for bash")
    @cell_magic
    def nbflow_app(self, line: str, cell: str) -> None:
        """Make the body of the cell a Python app; the value of its last line is the app's result.

        Example, which defines the app `area`::

            %%nbflow_app area --inputs n seed=0 --retries 2
            import random
            random.seed(seed)
            inside = sum(random.random()**2 + random.random()**2 < 1 for _ in range(n))
            4 * inside / n

        `futures = area.map([10_000] * 100, range(100))` then runs it a hundred times. A cell with one `def`
        and no --inputs makes that function the app. What the body uses of the notebook travels along.
        """
        given = parse_argstring(AppMagics.nbflow_app, line)
        if given.bash:
            self._define_bash(given, cell)
        else:
            self._define_python(given, cell)

    @no_var_expand
    @magic_arguments()
    @_declared
    @argument("--bash", action="store_true", help="the cell is a command for bash")
    @cell_magic
    def parsl_app(self, line: str, cell: str) -> None:
        """Make the body of the cell a Python app: another name for %%nbflow_app.

        Example::

            %%parsl_app area --inputs n
            n * n
        """
        self.nbflow_app(line, cell)

    @no_var_expand
    @magic_arguments()
    @_declared
    @cell_magic
    def bash_app(self, line: str, cell: str) -> None:
        """Make the cell a bash app: its text is the command, {name} in it is a parameter.

        Example, which defines the app `align`::

            %%bash_app align --walltime 600
            bwa mem {ref} {reads} > {outputs[0]}

        `align("ref.fa", "reads.fq", outputs=["out.sam"])` then runs it. Values are quoted for the shell;
        `${VARIABLE}` and other braces stay as they are. --inputs gives the order of the parameters, and
        defaults.
        """
        self._define_bash(parse_argstring(AppMagics.bash_app, line), cell)

    def _define_python(self, given: argparse.Namespace, cell: str) -> None:
        name = given.name or given.app_name
        if name is None or not given.inputs:
            alone = _only_function(cell)
            if alone is not None and name in (None, alone):
                self._keep(alone, cell, python_app, given)
                return
        if name is None:
            raise AppTypeError("give the app a name: %%nbflow_app NAME --inputs a b")
        self._keep(name, python_source(name, given.inputs, cell), python_app, given)

    def _define_bash(self, given: argparse.Namespace, cell: str) -> None:
        name = given.name or given.app_name
        if name is None:
            raise AppTypeError("give the app a name: %%bash_app NAME")
        self._keep(name, bash_source(name, given.inputs, cell), bash_app, given)

    def _keep(self, name: str, source: str, decorator: Any, given: argparse.Namespace) -> None:
        options = {key: value for key in OPTION_NAMES if (value := getattr(given, key, None)) is not None}
        namespace = self.shell.user_ns
        namespace[name] = decorator(**options)(define(name, source, namespace))


def _only_function(cell: str) -> str | None:
    """Return the name of the function that is all of the cell."""
    body = ast.parse(cell).body
    if len(body) == 1 and isinstance(body[0], ast.FunctionDef):
        return body[0].name
    return None
