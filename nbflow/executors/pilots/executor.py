"""Own the executor whose workers are pilots at a site: what a dataflow kernel sees of what is behind it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import final

from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.placement import Capacity
from nbflow.core.scaling import Outlook
from nbflow.core.task import Grant
from nbflow.errors import ConfigError
from nbflow.executors.launching import Place, equip
from nbflow.executors.pilots.foreman import Foreman
from nbflow.executors.pilots.lanes import Lanes
from nbflow.executors.pilots.node import Node
from nbflow.executors.pilots.plan import LOOPBACK, Plan
from nbflow.executors.pilots.recruiter import Recruiter
from nbflow.executors.pilots.tunnel import Tunnel
from nbflow.executors.protocol import Exit, Post, Try
from nbflow.executors.views import BlockView, NodeView, SlotView
from nbflow.providers.registry import open_provider
from nbflow.sites.session import Session
from nbflow.wire.messages import Call

__all__ = ["PilotsExecutor"]


@final
class PilotsExecutor:
    """Run calls on pilots at the plan's site; `open_session` is called once, in the thread that starts it."""

    is_remote = True

    def __init__(self, label: str, plan: Plan, open_session: Callable[[], Session]) -> None:
        self.label = ExecutorId(label)
        self._plan = plan
        self._open_session = open_session
        self._endings = ExitStack()
        self._lanes: Lanes | None = None
        self._foreman: Foreman | None = None
        self._tunnel: Tunnel | None = None

    @property
    def wait_seconds(self) -> float | None:
        """Return how long a new block is expected to wait for its start, None when nobody knows."""
        return None if self._foreman is None else self._foreman.wait_seconds

    def start(self, post: Post) -> Capacity:
        """Log in, start what pilots register with, and ask for the first blocks; slots come with them."""
        plan = self._plan
        _need_ipyparallel()
        with ExitStack() as endings:
            session = self._open_session()
            endings.callback(session.close)
            directory = f"{session.resolve(plan.site.working_directory)}/pilots/{secrets.token_hex(6)}"
            foreman = Foreman(
                self.label, plan, open_provider(plan.site.scheduler, session), self._the_lanes, directory
            )
            lanes = self._lanes = Lanes(self.label, post, foreman.tell, plan.patience)
            port, server_key = lanes.start(plan.address if plan.is_here else LOOPBACK)
            endings.callback(lanes.close, Exit.STOP)
            address = f"tcp://{plan.address}:{port}"
            if not plan.is_here:
                relay = plan.module("nbflow.worker.relay", plan.address)
                tunnel = self._tunnel = Tunnel(self.label, session, relay, port)
                endings.callback(tunnel.close)
                address = tunnel.address
            recruiter = Recruiter(
                self.label,
                session,
                plan.module("nbflow.executors.pilots.agent", directory, plan.address),
                {"address": address, "server_key": server_key},
                foreman.admit,
                foreman.tell,
            )
            endings.callback(session.run, ["rm", "-rf", directory])
            endings.callback(recruiter.close)
            recruiter.start()
            foreman.start()
            endings.callback(foreman.close)
            self._foreman = foreman
            self._endings = endings.pop_all()
        shape = plan.shape
        return Capacity((), shape.total, keeps_results=True, nodes=shape.nodes)

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
        nodes = self._lanes.nodes()
        return [
            BlockView(
                block.name,
                block.job or "",
                block.stage,
                block.reason,
                tuple(_view(node) for node in nodes if node.entry.block == block.name),
            )
            for block in list(self._foreman.blocks.values())
        ]

    def close(self, how: Exit) -> None:
        """End calls, pilots and jobs, the controller and the session, and wait for them."""
        if self._lanes is not None:
            self._lanes.close(how)
        endings, self._endings = self._endings, ExitStack()
        endings.close()

    def _the_lanes(self) -> Lanes:
        assert self._lanes is not None, "the executor was not started"
        return self._lanes


def _view(node: Node) -> NodeView:
    slots = tuple(
        SlotView(worker.slot, tuple(task for task, _ in list(worker.hand)))
        for worker in list(node.crew.workers)
    )
    return NodeView(node.name, str(node.facts.get("host")), slots)


def _need_ipyparallel() -> None:
    from importlib.util import find_spec

    if find_spec("ipyparallel") is None:
        raise ConfigError(
            "pilots need ipyparallel, which is not installed: pip install 'jupyter-nbflow[pilots]'"
        )
