"""Own the executor whose workers are pilots at a site: what a dataflow kernel sees of what is behind it."""

from __future__ import annotations

import logging
import os
import platform
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, final

import zmq

from nbflow.core.capacity import Capacity
from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.scaling import Outlook
from nbflow.core.task import Grant
from nbflow.errors import ConfigError
from nbflow.executors.launching import Place, equip
from nbflow.executors.pilots.berth import Berth, Owner, take_berth
from nbflow.executors.pilots.ending import end_berth
from nbflow.executors.pilots.foreman import Foreman
from nbflow.executors.pilots.lanes import Lanes
from nbflow.executors.pilots.node import Node
from nbflow.executors.pilots.plan import LOOPBACK, Plan
from nbflow.executors.pilots.recruiter import Recruiter
from nbflow.executors.pilots.tunnel import Tunnel
from nbflow.executors.protocol import Exit, Held, Post, Try
from nbflow.executors.views import BlockView, NodeView, SlotView
from nbflow.providers.registry import open_provider
from nbflow.sites.session import Session
from nbflow.wire.messages import Call

__all__ = ["PilotsExecutor"]

log = logging.getLogger("nbflow")

_AGENT: Final = "nbflow.executors.pilots.agent"
COME_BACK_SECONDS: Final = 3.0
"""How long a start waits for lanes of another kernel; they try to connect about once a second."""


@final
class PilotsExecutor:
    """Run calls on pilots at the plan's site; `open_session` is called once, in the thread that starts it.

    What the next kernel needs to find the pilots is kept in the directory `berths`.
    """

    is_remote = True

    def __init__(self, label: str, plan: Plan, open_session: Callable[[], Session], berths: Path) -> None:
        self.label = ExecutorId(label)
        self._plan = plan
        self._open_session = open_session
        self._berths = berths
        self._run = self._notebook = ""
        self._is_left = False
        self._endings = ExitStack()
        self._lanes: Lanes | None = None
        self._foreman: Foreman | None = None
        self._tunnel: Tunnel | None = None

    @property
    def wait_seconds(self) -> float | None:
        """Return in how many seconds the next node is expected, None when nobody knows."""
        return None if self._foreman is None else self._foreman.wait_seconds

    def belong(self, run: str, notebook: str) -> None:
        """Be told in which run it serves, and by which name the next kernel will ask for its pilots."""
        self._run = run
        with suppress(FileNotFoundError):  # the directory of this process was removed
            notebook = str(Path(notebook).absolute())
        self._notebook = notebook

    def start(self, post: Post) -> Capacity:
        """Log in, and find the pilots that this notebook's last kernel left, or start what new ones need.

        Slots come with the blocks.
        """
        _need_ipyparallel()
        with ExitStack() as endings:
            session = self._open_session()
            endings.callback(session.close)
            plan = self._plan = self._plan.on(session)
            berth, port, server_key = self._moor(session, post)
            # What another kernel left is not ended only because it cannot be reached for the moment.
            self._is_left = bool(berth.record.blocks)
            endings.callback(lambda: berth.leave() if self._is_left else berth.remove())
            endings.callback(self._the_lanes().close, Exit.STOP)
            foreman = self._foreman
            assert foreman is not None
            address = self._address(session, berth, port, endings)
            agent = (_AGENT, berth.record.directory, plan.address)
            recruiter = Recruiter(
                self.label,
                session,
                self._standby(berth, "agent", *agent),
                {"address": address, "server_key": server_key},
                foreman.admit,
                foreman.tell,
            )
            endings.callback(self._remove, session, berth.record.directory)
            endings.callback(self._end, recruiter)
            recruiter.start()
            foreman.start()
            endings.callback(self._end, foreman)
            self._is_left = False
            self._endings = endings.pop_all()
        self._the_lanes().await_back(COME_BACK_SECONDS)
        shape = plan.shape
        return Capacity((), shape.total, keeps_results=True, nodes=shape.nodes)

    def _moor(self, session: Session, post: Post) -> tuple[Berth, int, str]:
        """Listen where lanes of the last kernel look for it; return the berth, the port and the key.

        Where that port is another's by now they cannot be reached: then their jobs end, and new ones come.
        """
        plan, site = self._plan, self._plan.site
        host = platform.node() if plan.is_here else ""
        owner = Owner(notebook=self._notebook, label=self.label, site=site.name, host=host)
        while True:
            berth = take_berth(self._berths, owner)
            record = berth.record
            directory = f"{session.resolve(site.working_directory)}/pilots/{secrets.token_hex(6)}"
            berth.update(directory=record.directory or directory)
            provider = open_provider(site.scheduler, session, plan.before_commands)
            foreman = self._foreman = Foreman(self.label, plan, provider, self._the_lanes, berth)
            lanes = self._lanes = Lanes(self.label, post, foreman.tell, plan.patience, run=self._run)
            foreman.let_back()
            try:
                port, server_key = lanes.start(
                    plan.address if plan.is_here else LOOPBACK,
                    record.port if plan.is_here else 0,
                    record.secret.encode(),
                )
            except zmq.ZMQError as error:
                log.warning("nbflow: the pilots of the last kernel cannot reach this one, and end: %s", error)
                end_berth(berth, plan, session)
                continue
            seconds = plan.patience.orphan
            berth.update(port=port, run=self._run, pid=os.getpid(), orphan_seconds=seconds, seen=time.time())
            return berth, port, server_key

    def _address(self, session: Session, berth: Berth, port: int, endings: ExitStack) -> str:
        """Return where lanes find this kernel: its own port, or the relay's, which is started or found."""
        plan = self._plan
        if plan.is_here:
            return f"tcp://{plan.address}:{port}"
        tunnel = self._tunnel = Tunnel(
            self.label,
            session,
            lambda relay: self._standby(berth, "relay", "nbflow.worker.relay", plan.address, str(relay)),
            port,
            berth.record.relay_port,
        )
        endings.callback(self._end, tunnel)
        berth.update(relay_port=tunnel.relay_port)
        return tunnel.address

    def _standby(self, berth: Berth, name: str, *module: str) -> tuple[str, ...]:
        """Return the argv that finds, or starts, a program which outlives this process."""
        seconds = f"{self._plan.patience.orphan:g}"
        return self._plan.module("nbflow.worker.standby", berth.record.directory, name, seconds, *module)

    def _end(self, part: Foreman | Recruiter | Tunnel) -> None:
        if self._is_left:
            part.leave()
        else:
            part.close()

    def _remove(self, session: Session, directory: str) -> None:
        if not self._is_left:
            session.run(["rm", "-rf", directory])

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot, after those that it has."""
        equip(calls, self._plan.launcher, lambda grant: self._find(slot, grant))
        self._the_lanes().send(slot, calls)

    def _find(self, slot: SlotId, grant: Grant) -> Place | None:
        nodes = self._the_lanes().nodes()
        if grant.nodes:
            by_name = {node.name: node for node in nodes}
            chosen = [by_name[name] for name in grant.nodes if name in by_name]
        else:
            chosen = [node for node in nodes if node.crew.find(slot) is not None]
        if len(chosen) < max(1, len(grant.nodes)):
            return None
        return Place(
            [str(node.facts["host"]) for node in chosen], min(int(node.facts["cores"]) for node in chosen)
        )

    def drop(self, tries: Collection[Try]) -> None:
        """Stop these tries, in C code too; a process that ran one of them is replaced."""
        self._the_lanes().drop(tries)

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started."""
        self._the_lanes().recall(tries)

    def demand(self, outlook: Outlook) -> None:
        """Take what is queued for it and in its hands."""
        if self._foreman is not None:
            self._foreman.demand(outlook)

    def scale(self, blocks: int) -> None:
        """Have just so many blocks from now on, whatever there is to do."""
        if self._foreman is not None:
            self._foreman.scale(blocks)

    def blocks(self) -> list[BlockView]:
        """Return what there is, for people."""
        if self._foreman is None or self._lanes is None:
            return []
        nodes, foreman = self._lanes.nodes(), self._foreman
        return [
            BlockView(
                block.name,
                block.job or "",
                block.stage,
                foreman.describe(block),
                tuple(_view(node) for node in nodes if node.entry.block == block.name),
            )
            for block in list(foreman.blocks.values())
        ]

    @property
    def standing(self) -> str:
        """Say, for people, what is wrong at the site, or why there is no block; empty when all is well."""
        return "" if self._foreman is None else self._foreman.standing

    def held(self) -> Collection[Held]:
        """Return the slots of former runs whose calls run on, or whose results wait to be taken."""
        return self._the_lanes().held()

    def adopt(self, held: Held, former: Try, call: Call) -> None:
        """Have what becomes of a former try reported as that of `call`, which is not sent anywhere."""
        self._the_lanes().adopt(held, former, call)

    def disown(self, run: str) -> None:
        """Stop what still runs for a former run, and let its results go, but for what was adopted."""
        self._the_lanes().disown(run)

    def leave(self) -> None:
        """End what is in this process only: pilots and jobs wait for the next kernel of this notebook."""
        self._is_left = True
        if self._lanes is not None:
            self._lanes.leave()
        self._end_all()

    def close(self, how: Exit) -> None:
        """End calls, pilots and jobs, the controller and the session, and wait for them.

        Where the plan says to keep pilots, they wait for the next kernel instead.
        """
        if self._plan.keeps_pilots:
            self.leave()
            return
        if self._lanes is not None:
            self._lanes.close(how)
        self._end_all()

    def _end_all(self) -> None:
        endings, self._endings = self._endings, ExitStack()
        endings.close()

    def _the_lanes(self) -> Lanes:
        assert self._lanes is not None, "the executor was not started"
        return self._lanes


def _view(node: Node) -> NodeView:
    slots = [
        SlotView(worker.slot, tuple(task for task, _ in list(worker.hand)))
        for worker in list(node.crew.workers)
    ]
    slots += [SlotView(slot, tuple(task for task, _ in tries)) for slot, tries in node.estate.claimed()]
    return NodeView(node.name, str(node.facts.get("host")), tuple(slots))


def _need_ipyparallel() -> None:
    from importlib.util import find_spec

    if find_spec("ipyparallel") is None:
        raise ConfigError(
            "pilots need ipyparallel, which is not installed: pip install 'jupyter-nbflow[pilots]'"
        )
