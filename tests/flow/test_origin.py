import subprocess
import sys
from pathlib import Path

import pytest

import nbflow as nf

double = nf.python_app(lambda x: 2 * x)


@pytest.mark.usefixtures("kernel")
def test_calls_of_any_form_are_traced_to_a_line_of_the_users_file() -> None:
    first = double(1)
    nf.gather([first, *double.map([2]), double.options(priority=1)(x=3), nf.attr(first, "imag")])
    lines = [line for row in nf.tasks() if (line := row.origin)]
    assert len(lines) == 4
    assert all(line.startswith("test_origin.py:") for line in lines)


def test_a_script_is_named_with_its_line(tmp_path: Path) -> None:
    script = tmp_path / "sweep.py"
    script.write_text(
        "import nbflow as nf\n"
        "if __name__ == '__main__':\n"
        "    nf.load('threads', workers=1)\n"
        "    nf.python_app(abs)(-1).result(60)\n"
        "    print(*[row.origin for row in nf.tasks()])\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "sweep.py:4\n", ended.stderr
