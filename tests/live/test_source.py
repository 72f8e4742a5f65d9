"""The way from a view to the run of this process."""

import nbflow as nf
from nbflow.live.source import current_run


def test_a_view_knows_why_the_results_that_it_was_asked_for_are_remembered() -> None:
    nf.load("threads", workers=1)
    try:
        run = current_run()
        double = nf.python_app(cache=True)(lambda n: 2 * n)
        first, unwatched = double(3), double(4)
        nf.gather([first, unwatched])
        again = double(3)
        plain = nf.python_app(lambda: 1)()
        nf.gather([again, plain])
        run.tasks_of([first, again, plain])
        assert (run.why_remembered(first.tid) or "").startswith("miss")
        assert (run.why_remembered(again.tid) or "").startswith("hit")
        assert run.why_remembered(plain.tid) is None
        assert run.why_remembered(unwatched.tid) is None
    finally:
        nf.clear()
