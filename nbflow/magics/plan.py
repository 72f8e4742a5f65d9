"""Own `%%nbflow_plan`: a look at what a cell would run, without running its apps."""

# IPython's decorators carry no types.
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import ast
import linecache
from itertools import count
from typing import Any, final

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

from nbflow.flow.plan import Plan
from nbflow.flow.planning import plan

__all__ = ["PlanMagics"]

_numbers = count(1)


@final
@magics_class
class PlanMagics(Magics):
    """Plan cells."""

    shell: Any

    @no_var_expand
    @cell_magic
    def nbflow_plan(self, line: str, cell: str) -> Plan:
        """Show which calls of the cell would be run anew and which be reused, and why; run none of them.

        Example::

            %%nbflow_plan
            futures = area.map([10_000] * 100, range(100))
            total(futures).result()

        The rest of the cell does run, as far as it needs no result that is not there. The names that it binds
        are put back afterwards.
        """
        if line.strip():
            raise UsageError("%%nbflow_plan takes nothing on its line; the cell below it is planned")
        text: str = self.shell.transform_cell(cell)
        name = f"<nbflow plan {next(_numbers)}>"
        # So that functions which the cell defines have a source, as they will when it is run.
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        code = compile(ast.parse(text, name), name, "exec", dont_inherit=True)
        namespace: dict[str, Any] = self.shell.user_ns
        before = dict(namespace)
        try:
            return plan(lambda: exec(code, namespace))
        finally:
            for added in namespace.keys() - before.keys():
                del namespace[added]
            namespace.update(before)
