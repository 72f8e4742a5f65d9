"""Own the words with which calls that are several processes are started: what runs where is for placement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, final

from nbflow.core.task import Grant
from nbflow.providers.launchers import launch_task
from nbflow.wire.messages import Call

__all__ = ["Place", "equip"]


@final
class Place(NamedTuple):
    """Say where a call runs: its hosts, the first of them that of its worker, and the cores of each."""

    hosts: Sequence[str]
    cores: int


def equip(calls: Sequence[Call], launcher: str, find: Callable[[Grant], Place | None]) -> None:
    """Give a call on several nodes, or with several processes on one, the words that start its command.

    `find` says where; None for nodes that are gone: then the call is about to be lost.
    """
    grant = calls[0].grant
    if grant is None or (len(grant.nodes) < 2 and grant.ranks_per_node == 1):
        return
    place = find(grant)
    if place is not None:
        words = launch_task(launcher, place.hosts, grant.ranks_per_node, place.cores)
        calls[0].grant = replace(grant, launch=words)
