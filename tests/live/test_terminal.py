import io

from rich.console import Console

from nbflow.live.terminal import progress

from .sample import SampleRun


def shown(run: SampleRun, *, is_terminal: bool) -> str:
    """Show a run of three tasks, of which one fails, to its end; return what was written."""
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=120)
    tasks = [run.submit("f") for _ in range(3)]
    with progress(run.address, console=console) as view:
        run.finish(tasks[0])
        run.finish(tasks[1])
        run.fail(tasks[2])
        run.publish()
    assert "2 of 3 tasks done" in str(view)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


def test_a_terminal_gets_a_bar(run: SampleRun) -> None:
    text = shown(run, is_terminal=True)
    assert "━" in text
    assert "2/3 done" in text
    assert "✕ 1 failed" in text


def test_elsewhere_there_are_plain_lines(run: SampleRun) -> None:
    text = shown(run, is_terminal=False)
    assert text.splitlines()[-1].startswith("nbflow: 2 of 3 tasks done, 1 failed")
    assert "\x1b" not in text


def test_a_run_without_tasks_shows_nothing(run: SampleRun) -> None:
    console = Console(file=io.StringIO(), width=120)
    with progress(run.address, console=console):
        pass
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
