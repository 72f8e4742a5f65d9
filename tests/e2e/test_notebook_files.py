"""Files between the tasks that write and read them, shown when a person asks for them."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .graph import Graph
from .jupyterlab import Notebook

FLOW = """
from pathlib import Path
import nbflow as nf
nf.load(workers=2)

@nf.bash_app
def align(sample, outputs=()):
    return f"echo {sample} > {outputs[0]}"

@nf.bash_app
def call(alignment, outputs=()):
    return f"test $(cat {alignment}) -ne 4 && cp {alignment} {outputs[0]}"

@nf.python_app
def merge(variants, reference):
    return sorted(Path(one).read_text().strip() for one in variants)

Path("reference.fa").write_text("ACGT")
aligned = [align(n, outputs=[f"sample{n}.bam"]) for n in range(6)]
called = [call(one.outputs[0], outputs=[f"sample{n}.vcf"]) for n, one in enumerate(aligned)]
merged = merge([one.outputs[0] for one in called], nf.File("reference.fa"))
view = nf.watch(merged)
nf.wait([merged])
"""


def test_files_stand_between_tasks_when_a_person_asks_for_them(
    notebook: Callable[..., Notebook], page: Page, pictures: Path
) -> None:
    opened = notebook("files", FLOW)
    graph = Graph(opened.run(0))
    root = graph.root
    graph.wait_for("total", 13)
    graph.wait_for("failed", 1)
    graph.wait_for("marks", 13)
    toggle = root.get_by_role("button", name="Show files")
    toggle.click()
    graph.wait_for("marks", 13 + 6 + 6 + 1)
    expect(toggle).to_have_attribute("aria-pressed", "true")
    root.scroll_into_view_if_needed()
    page.mouse.click(*graph.pixel(-1))
    details = root.locator(".nbflow-details")
    expect(details).to_contain_text("sample0.bam")
    expect(details).to_contain_text("2 bytes")
    expect(details.get_by_role("button", name="align(0")).to_be_visible()
    page.screenshot(path=pictures / "files.png")
    details.get_by_role("button", name="call(").click()
    expect(details).to_contain_text("sample0.bam")
    expect(details).to_contain_text("writes")
    page.keyboard.press("Escape")
    toggle.click()
    graph.wait_for("marks", 13)
