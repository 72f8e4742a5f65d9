"""Own what each key of a site's description may say, and the building of a site from its leaves."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, final

from nbflow.sites import units
from nbflow.sites.leaves import Leaf, Leaves, dotted
from nbflow.sites.lines import KeyPath
from nbflow.sites.model import (
    Authentication,
    BlockLimits,
    BlockShape,
    LauncherName,
    Login,
    NodeShape,
    Partition,
    Scheduler,
    Site,
)

__all__ = ["build_site", "suggestion"]

Convert = Callable[[Any], Any]

WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+/=-]{0,127}")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}")
JUMP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@,-]{0,511}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
LONGEST_TEXT = 4096


def text(value: Any) -> str:
    """Return a line of text without anything that cannot be seen."""
    if not isinstance(value, str) or not value or len(value) > LONGEST_TEXT:
        raise ValueError(f"give a text of 1 to {LONGEST_TEXT} characters")
    hidden = [one for one in value if not one.isprintable()]
    if hidden:
        raise ValueError(f"it has a character that cannot be seen: {hidden[0]!r}; give one plain line")
    return value


def prose(value: Any) -> str:
    """Return text for people, which may be empty or of several lines."""
    if not isinstance(value, str):
        raise ValueError("give a text")
    return "\n".join(text(line) for line in value.splitlines() if line.strip())


def matching(pattern: re.Pattern[str], what: str) -> Convert:
    """Return what takes a text that `pattern` describes."""

    def convert(value: Any) -> str:
        if not pattern.fullmatch(text(value)):
            raise ValueError(f"give {what}")
        return str(value)

    return convert


def directory(value: Any) -> str:
    """Return a path as the other side knows it; variables in it are `$NAME` or `${NAME}`."""
    written = text(value)
    rest = re.sub(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})", "", written, flags=re.ASCII)
    if "$" in rest or not written.startswith(("/", "~/", "$")):
        raise ValueError("give a path that starts with /, ~/ or $NAME; variables are $NAME or ${NAME}")
    return written


def whole(least: int, most: int = 1_000_000) -> Convert:
    """Return what takes a whole number within limits."""

    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"give a whole number from {least} to {most}")
        return value

    return convert


def flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("give true or false")
    return value


def one_of(kind: type[StrEnum]) -> Convert:
    """Return what takes the name of a member of `kind`."""

    def convert(value: Any) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            raise ValueError(f"give one of {', '.join(kind)}{suggestion(value, kind)}") from None

    return convert


def lines(value: Any) -> tuple[str, ...]:
    """Return a list of lines."""
    if not isinstance(value, list) or len(value) > 1000:
        raise ValueError('give a list of texts, such as ["module load python"]')
    return tuple(text(line) for line in value)


def with_unit(read: Callable[[str], Any], what: str) -> Convert:
    """Return what takes a text that `read` understands."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"give {what}, in quotes")
        return read(value)

    return convert


@final
@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    convert: Convert


word = matching(WORD, "a name of letters, digits and _.:@+/=-")
host = matching(HOST, "the name of a host, or an alias of your SSH configuration")
variable_name = matching(VARIABLE, "a name of letters, digits and _")
size = with_unit(units.nbytes, units.SIZES)
duration = with_unit(units.seconds, units.DURATIONS)

FIELDS = {
    "title": _Field("title", text),
    "scheduler": _Field("scheduler", one_of(Scheduler)),
    "working_directory": _Field("working_directory", directory),
    "python": _Field("python", text),
    "launcher": _Field("launcher", one_of(LauncherName)),
    "setup": _Field("setup", lines),
    "account": _Field("account", word),
    "directives": _Field("directives", lines),
    "partition": _Field("partition", word),
    "notes": _Field("notes", prose),
    "source": _Field("source", text),
    "untested": _Field("is_untested", flag),
    "login.host": _Field("host", host),
    "login.user": _Field("user", word),
    "login.port": _Field("port", whole(1, 65535)),
    "login.jump": _Field("jump", matching(JUMP, "hosts as OpenSSH's ProxyJump takes them: user@host:port")),
    "login.ssh_config": _Field("ssh_config", text),
    "login.authentication": _Field("authentication", one_of(Authentication)),
    "block.nodes": _Field("nodes", whole(1)),
    "block.workers_per_node": _Field("workers_per_node", whole(1, 10_000)),
    "block.threads_per_worker": _Field("threads_per_worker", whole(1, 10_000)),
    "block.cores_per_node": _Field("cores_per_node", whole(1, 100_000)),
    "block.memory": _Field("memory_nbytes", size),
    "block.gpus_per_node": _Field("gpus_per_node", whole(0, 1000)),
    "block.walltime": _Field("walltime_seconds", duration),
    "limits.init_blocks": _Field("init_blocks", whole(0, 10_000)),
    "limits.min_blocks": _Field("min_blocks", whole(0, 10_000)),
    "limits.max_blocks": _Field("max_blocks", whole(0, 10_000)),
}
TABLES = {"environment": "variables", "partitions": "partitions"}
PARTITION_FIELDS = {
    "max_nodes": _Field("max_nodes", whole(1)),
    "max_walltime": _Field("max_walltime_seconds", duration),
}
NODE_FIELDS = {
    "cores": _Field("cores", whole(1, 100_000)),
    "memory": _Field("memory_nbytes", size),
    "gpus": _Field("gpus", whole(0, 1000)),
}


def build_site(name: str, leaves: Leaves) -> Site:
    """Return the site that `leaves` describe. Raises ConfigError with file, line and key of what is wrong."""
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    environment: dict[str, str] = {}
    partitions: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for path, leaf in leaves.items():
        match path:
            case ("environment", variable):
                _check_name(path, leaf, variable_name)
                environment[variable] = _convert(path, leaf, text)
            case ("partitions", partition, key) if key in PARTITION_FIELDS or key in NODE_FIELDS:
                _check_name(path, leaf, word)
                of_partition, of_node = partitions.setdefault(partition, ({}, {}))
                field, values = (
                    (NODE_FIELDS[key], of_node)
                    if key in NODE_FIELDS
                    else (PARTITION_FIELDS[key], of_partition)
                )
                values[field.name] = _convert(path, leaf, field.convert)
            case _:
                field = _field(path, leaf)
                groups["" if len(path) == 1 else path[0]][field.name] = _convert(path, leaf, field.convert)
    if groups["login"] and "host" not in groups["login"]:
        path = next(path for path in leaves if path[0] == "login")
        raise leaves[path].refuse(path, "login.host is missing beside it")
    site = Site(
        name=name,
        **groups[""],
        login=Login(**groups["login"]) if groups["login"] else None,
        block=BlockShape(**groups["block"]),
        limits=BlockLimits(**groups["limits"]),
        environment=environment,
        partitions=tuple(
            Partition(name=each, **values, node=NodeShape(**node))
            for each, (values, node) in partitions.items()
        ),
    )
    _check(site, leaves)
    return site


def suggestion(given: object, known: Iterable[str]) -> str:
    """Return "; did you mean X?" when something known is close to `given`."""
    close = difflib.get_close_matches(str(given), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _field(path: KeyPath, leaf: Leaf) -> _Field:
    key = ".".join(path)
    if key in FIELDS:
        return FIELDS[key]
    below = ", ".join(sorted(known for known in FIELDS if known.startswith(f"{key}.")))
    if below or key in TABLES:
        raise leaf.refuse(path, f"this is a table, of {below or TABLES[key]}")
    known = [*FIELDS]
    if path[0] == "partitions" and len(path) == 3:
        known = [f"partitions.{path[1]}.{each}" for each in (*PARTITION_FIELDS, *NODE_FIELDS)]
    hint = suggestion(key, known) or f"; there are {', '.join(known)}"
    raise leaf.refuse(path, f"there is no such key{hint}")


def _check_name(path: KeyPath, leaf: Leaf, convert: Convert) -> None:
    """Refuse a name that the user chose, as that of a partition, and that cannot be one."""
    try:
        convert(path[1])
    except ValueError as error:
        raise leaf.refuse(path, f"{path[1]!r} cannot be a name: {error}") from None


def _convert(path: KeyPath, leaf: Leaf, convert: Convert) -> Any:
    try:
        return convert(leaf.value)
    except ValueError as error:
        raise leaf.refuse(path, str(error)) from None


def _check(site: Site, leaves: Leaves) -> None:
    """Refuse values that are right alone and wrong together."""
    limits, block, partition = site.limits, site.block, site.find_partition()
    rules: list[tuple[bool, KeyPath, str]] = [
        (limits.min_blocks > limits.max_blocks, ("limits", "min_blocks"), "is more than limits.max_blocks"),
        (limits.init_blocks > limits.max_blocks, ("limits", "init_blocks"), "is more than limits.max_blocks"),
        (site.name == "local" and site.login is not None, ("login", "host"), "site local is this machine"),
    ]
    if partition is not None:
        most = partition.max_nodes or block.nodes
        longest = partition.max_walltime_seconds or block.walltime_seconds
        gives = f"is more than partition {partition.name} gives"
        rules += [
            (block.nodes > most, ("block", "nodes"), f"{gives}: {most}"),
            (block.walltime_seconds > longest, ("block", "walltime"), f"{gives}: {longest / 3600:g} h"),
            (block.gpus_per_node > partition.node.gpus, ("block", "gpus_per_node"), f"{gives}"),
            (
                (block.cores_per_node or 0) > (partition.node.cores or 100_000),
                ("block", "cores_per_node"),
                f"{gives}: {partition.node.cores}",
            ),
        ]
    for is_broken, path, why in rules:
        if is_broken:
            # a default may be what is too much: then the key that sets the limit is named
            named = path if path in leaves else next(each for each in leaves if each[0] in _RELATED[path[0]])
            raise leaves[named].refuse(named, f"{dotted(path)} {why}")


_RELATED = {"limits": ("limits",), "block": ("partition", "partitions"), "login": ("login",)}
