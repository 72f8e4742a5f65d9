"""The magics in a real notebook: cells become apps that run in worker processes."""

from collections.abc import Callable

from playwright.sync_api import expect

from .jupyterlab import Notebook


def test_cells_become_apps(notebook: Callable[..., Notebook]) -> None:
    opened = notebook(
        "magics",
        "%load_ext nbflow\n%nbflow load --workers 1",
        "%%parsl_app area --inputs n seed=1\nimport random\nrandom.seed(seed)\nround(n * 1.5)",
        "%%bash_app greet\necho hello {name} > {outputs[0]}",
        "greeting = greet('a b', outputs=['greeting.txt'])\nprint(area(4).result(), greeting.result())",
        "print(open('greeting.txt').read())",
        "%%nbflow_app fail --inputs n\n1 / n",
        "fail(0).result()",
        "import nbflow as nf\nnf.watch()",
        "%nbflow status",
    )
    for index in range(3):
        opened.run(index)
    expect(opened.run(3)).to_contain_text("6 0")
    expect(opened.run(4)).to_contain_text("hello a b")
    opened.run(5)
    failure = opened.run(6)
    expect(failure).to_contain_text("ZeroDivisionError")
    expect(failure).to_contain_text("return 1 / n")
    expect(opened.run(7).locator(".nbflow-graph")).to_have_count(1)
    expect(opened.run(8)).to_contain_text("2 of 3 tasks done, 1 failed")
