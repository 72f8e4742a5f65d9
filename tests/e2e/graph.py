"""The live graph in a cell's output, for tests: its numbers, where a task is drawn, whether a cell runs."""

import time
from typing import Any

from playwright.sync_api import Locator, Page, expect


class Graph:
    """The graph in the output of a cell."""

    def __init__(self, output: Locator) -> None:
        self.root = output.locator(".nbflow-graph")
        self.page = output.page
        self.root.wait_for()

    def number(self, name: str) -> int:
        return int(self.root.get_attribute(f"data-{name}") or 0)

    def wait_for(self, name: str, value: int, seconds: float = 30) -> None:
        expect(self.root).to_have_attribute(f"data-{name}", str(value), timeout=seconds * 1000)

    def state(self) -> dict[str, Any]:
        """Return what the view holds: tasks by state number."""
        return dict(self.root.evaluate("root => ({...root.dataset})"))

    def pixel(self, task: int) -> tuple[float, float]:
        """Return where a task is drawn on the page, once the picture stands still."""
        self.root.scroll_into_view_if_needed()
        where = """(root, task) => {
            const view = root.nbflow, mark = view.store.markOfTask.get(task);
            const box = view.canvas.getBoundingClientRect();
            return [box.x + view.painter.x(mark), box.y + view.painter.y(mark)];
        }"""
        before = None
        while before != (now := tuple(self.root.evaluate(where, task))):
            before = now
            time.sleep(0.2)
        return now

    def task_in(self, state: str) -> int:
        """Return the first task in a state."""
        found = self.root.evaluate(
            """(root, word) => {
                const { store } = root.nbflow;
                const isIn = mark => store.looks[store.state[mark]].word === word;
                return [...store.markOfTask].find(([, mark]) => isIn(mark))[0];
            }""",
            state,
        )
        return int(found)


def is_busy(page: Page, index: int) -> bool:
    prompt = "index => window.jupyterapp.shell.currentWidget.content.widgets[index].prompt"
    return bool(page.evaluate(prompt, index) == "*")
