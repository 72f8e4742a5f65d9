"""Remove remembered results: those over the size limit, those not used for long, least used first.

Without options the limit is NBFLOW_CACHE_LIMIT (10 GB). What is removed is computed again when it is needed.
Records of failures are removed with what is `--older-than`, without options after 30 days.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping

from nbflow.cli.output import json_of
from nbflow.journal.places import runs_dir
from nbflow.memo.collect import find_garbage, size_limit
from nbflow.memo.places import cache_dir
from nbflow.memo.store import Store
from nbflow.postmortem.store import find_old

__all__ = ["configure", "run"]

SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
RECORDS_AGE = 30 * 86_400.0
AGES = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def _amount(units: Mapping[str, int], example: str) -> Callable[[str], float]:
    def amount(text: str) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]?)b?", text.strip().lower())
        if match is None or match[2] not in units:
            raise argparse.ArgumentTypeError(f"{text!r}: give an amount such as {example}")
        return float(match[1]) * units[match[2]]

    return amount


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    size, age = _amount(SIZES, "500MB or 5GB"), _amount(AGES, "12h, 30d or 8w")
    parser.add_argument("--max-size", type=size, metavar="SIZE", help="keep at most so much, as 5GB")
    parser.add_argument("--older-than", type=age, metavar="AGE", help="what was not used for so long, as 30d")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be removed, and remove nothing"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    limit, age = arguments.max_size, arguments.older_than
    records_age = age
    if limit is None and age is None:
        limit, records_age = size_limit(), RECORDS_AGE
    store = Store(cache_dir())
    garbage = find_garbage(store, max_nbytes=None if limit is None else int(limit), older_than_seconds=age)
    if garbage.keys and not arguments.dry_run:
        store.remove(garbage.keys)
    store.close()
    records = [] if records_age is None else list(find_old(runs_dir().glob("*"), records_age))
    for path, _ in [] if arguments.dry_run else records:
        path.unlink(missing_ok=True)
    if arguments.json:
        told = {"results": len(garbage.keys), "nbytes": garbage.nbytes, "is_dry_run": arguments.dry_run}
        told |= {"records": len(records), "records_nbytes": sum(nbytes for _, nbytes in records)}
        print(json_of({**told, "kept": {"results": garbage.kept, "nbytes": garbage.kept_nbytes}}))
    else:
        verb = "would remove" if arguments.dry_run else "removed"
        print(f"{verb} {_results(len(garbage.keys), garbage.nbytes)}")
        if records:
            nbytes = sum(nbytes for _, nbytes in records)
            print(f"{verb} {len(records)} records of failures, {nbytes / 1e6:.1f} MB")
        print(
            f"{'would keep' if arguments.dry_run else 'kept'} {_results(garbage.kept, garbage.kept_nbytes)}"
        )
    return 0


def _results(count: int, nbytes: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}, {nbytes / 1e6:.1f} MB"
