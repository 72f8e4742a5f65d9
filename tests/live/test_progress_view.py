from nbflow.live.feed import Feed
from nbflow.live.progress_view import ProgressView

from .sample import SampleRun


def test_the_line_follows_the_run(run: SampleRun, feed: Feed) -> None:
    view = ProgressView(feed)
    tasks = [run.submit("f") for _ in range(4)]
    run.finish(tasks[0])
    run.publish()
    feed.refresh(view)
    assert (view.head["finished"], view.head["total"]) == (1, 4)
    bundle, _ = view._repr_mimebundle_()
    assert "1 of 4 tasks done" in bundle["text/html"]
    assert bundle["text/plain"].startswith("nbflow: 1 of 4 tasks done")


def test_only_some_tasks_are_counted(run: SampleRun, feed: Feed) -> None:
    tasks = [run.submit("f") for _ in range(4)]
    view = ProgressView(feed, {tasks[0], tasks[1]})
    run.publish()
    feed.refresh(view)
    assert view.head["total"] == 2
