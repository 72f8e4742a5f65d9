"""What calls used, from their worker to the journal."""

import pytest

import nbflow as nf


@pytest.mark.parametrize("app", [nf.python_app, nf.bash_app])
def test_a_long_call_tells_what_it_used_and_a_short_one_is_not_looked_at(app) -> None:
    nf.load("processes", workers=1)

    def spin(seconds: float):
        import sys
        import time

        if app is nf.bash_app:
            code = f"import time\nwhile time.process_time() < {seconds}: pass"
            return f"{sys.executable} -c '{code}'" if seconds else "true"
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return 0

    nf.gather([app(spin)(0.2), app(spin)(0.0)])
    ((task, cpu_seconds, nbytes),) = nf.sql("SELECT task, cpu_seconds, nbytes FROM usage")
    nf.clear()
    assert task == 1
    assert 0.2 <= cpu_seconds < 0.5
    assert nbytes is None or nbytes > 1 << 20


def test_a_failed_call_tells_it_too() -> None:
    nf.load("processes", workers=1)

    @nf.python_app
    def fails() -> None:
        import time

        time.sleep(0.03)
        raise ValueError

    nf.wait([fails()])
    assert len(nf.sql("SELECT * FROM usage")) == 1
    nf.clear()
