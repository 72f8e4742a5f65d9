"""Give each test a dataflow kernel on threads: quick to start, and nothing to clean up after it."""

from collections.abc import Iterator

import pytest

import nbflow as nf
from nbflow.flow.kernel import DataFlowKernel


@pytest.fixture
def kernel() -> Iterator[DataFlowKernel]:
    from nbflow.flow.current import current

    nf.load("threads", workers=2)
    yield current()
    nf.clear()
