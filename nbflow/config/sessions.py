"""Own what a person may know and do about pilots without a kernel: list, start and stop them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, final, overload

from nbflow.config.model import Pilots
from nbflow.config.pilots import ask, berths_dir, build_pilots, find_site
from nbflow.errors import ConfigError, ProviderError
from nbflow.executors.protocol import Exit
from nbflow.journal.grid import aligned, html_table
from nbflow.sites.model import Site
from nbflow.sites.opening import Ask, open_session

if TYPE_CHECKING:
    from nbflow.executors.pilots.executor import PilotsExecutor

__all__ = ["PilotSession", "SessionTable", "sessions", "start_session", "stop_session"]

SUBMIT_SECONDS = 90.0
LOOK_SECONDS = 0.1
COLUMNS = ("session", "site", "blocks", "pilots", "state", "notebook")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PilotSession:
    """Show the pilots of one notebook at one site. `blocks` and `pilots` count what was there last.

    `until` is when pilots without a kernel end by themselves (time of day), None while a kernel uses them.
    """

    name: str
    site: str
    notebook: str
    run: str
    blocks: int
    pilots: int
    until: float | None

    @property
    def state(self) -> str:
        """Say whether anybody uses them, and how long they wait."""
        if self.until is None:
            return f"used by run {self.run}"
        if self.until < time.time():
            return "no kernel, and over"
        return f"no kernel, until {time.strftime('%H:%M', time.localtime(self.until))}"

    @property
    def cells(self) -> tuple[str, ...]:
        """Return its texts, one for each column."""
        return self.name, self.site, str(self.blocks), str(self.pilots), self.state, self.notebook

    def stop(self) -> None:
        """Cancel its jobs and end its pilots; see `stop_session`."""
        stop_session(self.name)


@final
class SessionTable(Sequence[PilotSession]):
    """Be a list of sessions that shows itself well."""

    def __init__(self, rows: Sequence[PilotSession]) -> None:
        self._rows = rows

    @overload
    def __getitem__(self, index: int) -> PilotSession: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PilotSession]: ...
    def __getitem__(self, index: int | slice) -> PilotSession | Sequence[PilotSession]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        if not self._rows:
            return "no pilots: none run, and none were left"
        return aligned([COLUMNS, *(row.cells for row in self._rows)])

    def _repr_html_(self) -> str:
        if not self._rows:
            return f"<p>{self!r}</p>"
        return html_table(COLUMNS, [row.cells for row in self._rows])


def sessions() -> SessionTable:
    """Return a table of all pilots of this user that a kernel on this machine asked for, newest first."""
    return SessionTable(list(_sessions()))


def _sessions() -> Iterator[PilotSession]:
    from nbflow.executors.pilots.berth import berths  # only who wants pilots needs ZeroMQ

    for path, record, is_used in berths(berths_dir()):
        yield PilotSession(
            name=path.name,
            site=record.owner.site,
            notebook=record.owner.notebook,
            run=record.run,
            blocks=len(record.blocks),
            pilots=len(record.passes),
            until=None if is_used else record.seen + record.orphan_seconds,
        )


def start_session(
    site: str | Site,
    notebook: str | Path,
    *,
    blocks: int = 1,
    wait_seconds: float = 3600.0,
    ask: Ask | None = ask,
) -> PilotSession:
    """Ask for pilots before their notebook has a kernel, and return when their jobs are submitted.

    The next kernel of `notebook` (a path, of a script too) that loads `site` takes them over; pilots that
    nobody came for in `wait_seconds` end by themselves. `ask` answers what the site's login asks, given the
    question and whether the answer is a secret; None: nobody is there to answer. Raises ConfigError for what
    cannot be asked for, and for pilots that a kernel uses; SiteError or ProviderError when the site cannot be
    reached, or gives no job: then nothing is left there.
    """
    spec = Pilots(site, init_blocks=blocks, min_blocks=blocks, orphan_seconds=wait_seconds)
    if blocks < 1:
        raise ConfigError(f"start_session(blocks={blocks}): give a whole number, 1 or more")
    path = str(Path(notebook).absolute())
    used = _find(spec.label, path)
    if used is not None and used.until is None:
        raise ConfigError(f"{path} has pilots at {spec.label} already: session {used.name}, {used.state}")
    executor = cast("PilotsExecutor", build_pilots(spec, ask))
    executor.belong(f"start-{secrets.token_hex(2)}", path)
    executor.start(lambda _: None)
    try:
        _await_jobs(executor, blocks)
    except BaseException:
        executor.close(Exit.STOP)
        raise
    executor.leave()
    started = _find(spec.label, path)
    assert started is not None, "what was just left is there"
    return started


def _find(site: str, notebook: str) -> PilotSession | None:
    return next((one for one in _sessions() if (one.site, one.notebook) == (site, notebook)), None)


def _await_jobs(executor: PilotsExecutor, count: int) -> None:
    deadline = time.monotonic() + SUBMIT_SECONDS
    while time.monotonic() < deadline:
        blocks = executor.blocks()
        if sum(bool(block.job) for block in blocks) >= count:
            return
        failed = [block.reason for block in blocks if block.stage == "ended"]
        if failed:
            raise ProviderError(f"{executor.label} gives no pilots: {failed[-1]}")
        time.sleep(LOOK_SECONDS)
    raise ProviderError(f"{executor.label} took no job within {SUBMIT_SECONDS:g} s; try again later")


def stop_session(name: str, ask: Ask | None = ask) -> None:
    """Cancel the jobs of a session that no kernel uses, and end what served its pilots.

    `ask` answers what its site's login asks; None: nobody is there to answer. Raises ConfigError for one that
    is used, or is not there, and SiteError or ProviderError when its site cannot be reached.
    """
    from nbflow.executors.pilots.berth import lock_berth
    from nbflow.executors.pilots.ending import end_berth
    from nbflow.executors.pilots.plan import Plan

    path = berths_dir() / name
    if not name or path.parent != berths_dir() or not path.is_dir():
        known = ", ".join(one.name for one in sessions()) or "there is none"
        raise ConfigError(f"no session is called {name!r} ({known})")
    berth = lock_berth(path)
    if berth is None:
        raise ConfigError(f"a kernel uses session {name}: end it there, with nbflow.clear()")
    try:
        site = find_site(berth.record.owner.site)
        session = open_session(site, ask)
        try:
            end_berth(berth, Plan(site=site), session)
        finally:
            session.close()
    except BaseException:
        berth.leave()
        raise
