from IPython.core.interactiveshell import InteractiveShell

import nbflow as nf


def test_tasks_know_the_cell_that_made_them() -> None:
    shell = InteractiveShell.instance()
    try:
        nf.load("threads", workers=1)
        shell.run_cell("import nbflow as nf\nnf.python_app(abs)(-1).result(10)", store_history=True)
        (row,) = nf.tasks()
        assert row.origin == "In [1]"
        assert shell.events.callbacks["pre_run_cell"]
    finally:
        nf.clear()
        InteractiveShell.clear_instance()
