"""Own jobs that are processes of one machine. Runs there as `python3 -c`: standard library only.

Each job has a folder in ROOT, both only for this user: `script`; `job.json`, who runs it; `end.json`, how it
ended. A supervisor, its own session and nobody's child, starts the script, ends it at its walltime or on
SIGTERM, and lets none of its processes outlive it. A process is known by its id and its time of start.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

GRACE_SECONDS = 5.0
KEEP_SECONDS = 7 * 24 * 3600.0
START_SECONDS = 30.0
PR_SET_CHILD_SUBREAPER = 36


def main(verb: str, root: str, *rest: str) -> None:
    """Do what one command line says: `submit ROOT NAME SECONDS`, or `status` or `cancel ROOT NAME...`."""
    folder = private_folder(Path(root).expanduser())
    if verb == "submit":
        submit(folder, rest[0], float(rest[1]))
        sys.stdout.write(rest[0] + "\n")
    elif verb == "status":
        known = [report(folder / name) for name in rest if (folder / name).is_dir()]
        sys.stdout.write(json.dumps({"jobs": known}) + "\n")
    elif verb == "cancel":
        for name in rest:
            cancel(folder / name)


def private_folder(folder: Path) -> Path:
    """Make the folder, and refuse one that others can enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SystemExit(f"{folder} must belong to you and have mode 0700; chmod it, or name another folder")
    return folder


def submit(root: Path, name: str, walltime_seconds: float) -> None:
    """Start a job, once: a second submit under the same name finds the first."""
    script = sys.stdin.buffer.read()
    purge(root)
    folder = root / name
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    (folder / "script").write_bytes(script)
    started, start = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            try:
                supervise(folder, walltime_seconds, start)
            finally:
                os._exit(0)
        os._exit(0)
    os.close(start)
    os.wait()
    if not os.read(started, 1):
        raise SystemExit(f"the supervisor of job {name} ended at once")


def supervise(folder: Path, walltime_seconds: float, start: int) -> None:
    """Run the script to its end, which is told in `end.json`."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signals: list[int] = []
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda number, _: signals.append(number))
    adopt_orphans()
    job = subprocess.Popen(["/bin/bash", folder / "script"], cwd=Path.home(), start_new_session=True)
    me = os.getpid()
    record = {"host": socket.gethostname(), "pid": job.pid, "started_at": time.time()}
    write(
        folder / "job.json",
        {**record, "supervisor": me, "start": start_of(me), "job_start": start_of(job.pid)},
    )
    os.write(start, b"1")
    os.close(start)

    deadline = time.monotonic() + walltime_seconds
    word = ""
    while job.poll() is None and not word:
        left = deadline - time.monotonic()
        word = "CANCELLED" if signal.SIGTERM in signals else "TIMEOUT" if left <= 0 else ""
        if not word and select.select([awake], [], [], left)[0]:
            os.read(awake, 512)
    if word:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(job.pid, signal.SIGTERM)
            job.wait(GRACE_SECONDS)
    end_group(job.pid)
    end = {"word": word or "ENDED", "returncode": job.wait(), "ended_at": time.time()}
    end_adopted()
    write(folder / "end.json", end)


def adopt_orphans() -> None:
    """Become the parent of whatever the job leaves behind (Linux; elsewhere its process group must do)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_group(group: int) -> None:
    """Kill a process group, if it is there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def end_adopted() -> None:
    """Kill this process's children, and theirs as they become ours, until there are none."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(OSError):
        while pids := children.read_text().split():
            for pid in map(int, pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def report(folder: Path) -> dict[str, Any]:
    """Return what is known of a job; one whose supervisor was killed is ended here."""
    job, end = read(folder / "job.json"), read(folder / "end.json")
    if not end and not is_supervised(folder, job):
        if job and start_of(job["pid"]) == job["job_start"]:
            end_group(job["pid"])
        end = read(folder / "end.json") or {"word": "LOST", "returncode": None, "ended_at": time.time()}
        write(folder / "end.json", end)
    word = end.get("word") or ("RUNNING" if job else "STARTING")
    return {"id": folder.name, **job, **end, "word": word}


def is_supervised(folder: Path, job: dict[str, Any]) -> bool:
    """Tell whether a supervisor lives; of one on another login node, nobody here can say that it does not."""
    if not job:
        return time.time() - folder.stat().st_mtime < START_SECONDS
    return bool(job["host"] != socket.gethostname() or start_of(job["supervisor"]) == job["start"])


def cancel(folder: Path) -> None:
    """Have the supervisor end its job."""
    job = read(folder / "job.json")
    if job and job["host"] != socket.gethostname():
        raise SystemExit(f"job {folder.name} runs on {job['host']}: cancel it from there")
    if job and start_of(job["supervisor"]) == job["start"]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(job["supervisor"], signal.SIGTERM)


def start_of(pid: int) -> str:
    """Return when a process started, in the system's own words; empty when there is none that lives."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self").exists():
            return ""
        shown = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip()
    return "" if state in "ZX" else fields[18]


def purge(root: Path) -> None:
    """Remove what is kept of jobs that ended long ago."""
    for end in root.glob("*/end.json"):
        with contextlib.suppress(OSError):
            if time.time() - end.stat().st_mtime > KEEP_SECONDS:
                shutil.rmtree(end.parent)


def read(path: Path) -> dict[str, Any]:
    """Return a record; empty when it is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def write(path: Path, record: dict[str, Any]) -> None:
    """Write a record as a whole or not at all."""
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(record))
    partial.replace(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
