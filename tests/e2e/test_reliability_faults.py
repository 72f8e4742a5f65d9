"""Faults: workers that die, a journal that cannot be written, files and threads that run out, sudden ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

import nbflow as nf
from nbflow.errors import WorkerLost

from . import victims
from .nemesis import Nemesis, eventually, nemesis

__all__ = ["nemesis"]


patient = nf.python_app(retries=50)(victims.patient)
poison = nf.python_app(retries=50)(victims.poison)
deadly = nf.python_app(victims.deadly)


def test_F1_killed_workers_lose_no_call_and_no_result_is_wrong(nemesis: Nemesis) -> None:
    nf.load("processes", workers=2)
    for number in range(600):
        nemesis.submit(patient, f"call{number}", number, expect=number * 2)
    nemesis.torment(every=0.5)
    nemesis.check()


def test_F1_a_poison_call_is_given_up_after_three_workers_and_harms_no_other(nemesis: Nemesis) -> None:
    nf.load("processes", workers=2)
    for number in range(20):
        nemesis.submit(patient, f"call{number}", number, expect=number * 2)
    bad = nemesis.submit(poison, "poison", expect=WorkerLost)
    for number in range(20, 40):
        nemesis.submit(patient, f"call{number}", number, expect=number * 2)
    nemesis.check()
    assert f"task {bad.task.id}" in str(bad.exception())
    assert "SIGSEGV" in str(bad.exception()) or "segment" in str(bad.exception()).lower()
    assert nemesis.runs()["poison"] >= 3


def test_F1_a_worker_that_ends_itself_is_named_with_its_exit_code(nemesis: Nemesis) -> None:
    nf.load("processes", workers=2)
    bad = nemesis.submit(deadly, "deadly", expect=WorkerLost)
    nemesis.submit(patient, "other", 1, expect=2)
    nemesis.check()
    assert "exit code 7" in str(bad.exception())


def test_F12_a_full_disk_under_the_journal_costs_the_journal_only(tmp_path: Path) -> None:
    """The file size limit of the process stands in for a full disk: writes fail with EFBIG."""
    ended = run_script(
        tmp_path,
        """
        import resource, signal
        import nbflow as nf

        @nf.python_app
        def double(x):
            return 2 * x

        if __name__ == "__main__":
            nf.load("threads", workers=2)
            assert double(1).result(30) == 2
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
            futures = double.map(range(20_000))
            assert nf.gather(futures, timeout=60) == [2 * x for x in range(20_000)]
            nf.clear()
            print("all right")
        """,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "all right"
    assert "journal" in ended.stderr.lower(), "a loud warning"
    assert "Traceback" not in ended.stderr


def test_F18_no_files_left_is_a_clear_error_or_none_and_nothing_hangs(tmp_path: Path) -> None:
    ended = run_script(
        tmp_path,
        """
        import os, resource
        import nbflow as nf

        @nf.python_app
        def double(x):
            return 2 * x

        if __name__ == "__main__":
            resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
            held = []
            try:
                nf.load("processes", workers=16)
                future = double(1)
                future.exception(60)
                print("settled")
            except (OSError, nf.errors.NbflowError) as error:
                print("refused:", type(error).__name__, str(error)[:80])
            nf.clear()
        """,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(("settled", "refused:")), ended.stdout


def test_F18_a_hundred_runs_leak_no_file_thread_or_process(nemesis: Nemesis) -> None:
    def cycle() -> None:
        nf.load("threads", workers=2)
        assert patient.options(retries=0)(f"{nemesis.marks}:x", 1).result(30) == 2
        nf.clear()

    for _ in range(3):
        cycle()
    process = psutil.Process()
    before = process.num_fds(), process.num_threads()
    for _ in range(100):
        cycle()
    eventually(lambda: (process.num_fds(), process.num_threads()) <= before)


# What is started with `nohup`, or in the background of a script, inherits that these signals are ignored.
ENDLESS = """
    import os, sys, threading, time, signal
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import nbflow as nf

    @nf.python_app
    def endless(x):
        while True:
            time.sleep(0.1) if x % 2 else sum(range(100_000))

    if __name__ == "__main__":
        nf.load("processes", workers=2)
        futures = endless.map(range(6))
        futures.append(endless(futures[0]))
        while not any(future.running() for future in futures):
            time.sleep(0.01)
        print("ready", flush=True)
        HOW
"""

ENDINGS = {
    "clear": "nf.clear(); assert all(future.done() for future in futures); print('over')",
    "falls off the end": "pass",
    "sys.exit": "sys.exit(0)",
    "an exception": "raise SystemExit(0)",
    "clear while another thread waits": """
        threading.Timer(0.2, nf.clear).start()
        try: futures[-1].result(30)
        except BaseException as error: print('over', type(error).__name__)
    """,
    "an interrupt": """
        try:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            nf.gather(futures)
        except KeyboardInterrupt: print('over')
        assert not futures[0].done(), 'the work goes on'
    """,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_F19_whatever_ends_a_script_no_process_is_left(tmp_path: Path, ending: str) -> None:
    how = textwrap.indent(textwrap.dedent(ENDINGS[ending]).strip(), " " * 8).strip()
    script = textwrap.dedent(ENDLESS).replace("EXECUTOR", "'processes'")
    script = script.replace(
        "    HOW", textwrap.indent(textwrap.dedent(ENDINGS[ending]).strip(), "    ") or how
    )
    started = time.monotonic()
    ended = run_script(tmp_path, script)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("ready")
    assert time.monotonic() - started < 40, "P4"
    assert left_of(tmp_path) == []


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_F19_a_killed_script_leaves_no_process(tmp_path: Path, signum: signal.Signals) -> None:
    script = textwrap.dedent(ENDLESS).replace("HOW", "time.sleep(60)")
    path = tmp_path / "script.py"
    path.write_text(script)
    running = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        below = psutil.Process(running.pid).children(recursive=True)
        assert below
        running.send_signal(signum)
        running.wait(30)
        _, alive = psutil.wait_procs(below, timeout=30)
        assert alive == []
    finally:
        running.kill()
        running.communicate()


def test_F19_a_forked_child_ends_without_touching_the_run(nemesis: Nemesis) -> None:
    nf.load("processes", workers=2)
    future = patient(f"{nemesis.marks}:x", 1)
    child = os.fork()
    if child == 0:
        nf.clear()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert future.result(30) == 2
    assert patient(f"{nemesis.marks}:y", 2).result(30) == 4


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text))
    return subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=90, check=False)


def left_of(folder: Path) -> list[psutil.Process]:
    """Return the processes whose command line names this test's folder."""
    return [
        one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or ())
    ]
