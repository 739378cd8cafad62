"""What commands share that read or write the operational database."""

import argparse
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

from linkage.cli.flags import Flag
from linkage.store import Store, open_store

__all__ = ["BY", "STORE", "actor", "opened", "text"]


def text(value: str) -> str:
    """The value of a flag, as long as its bytes are text: the ledger and its hashes hold nothing else."""
    value.encode()
    return value


STORE = Flag(
    "--store", {"type": text, "metavar": "URL", "default": os.environ.get("LINKAGE_STORE") or "sqlite:///linkage.db"}
)
BY = Flag("--by", {"type": text, "metavar": "NAME"})


@contextmanager
def opened(flags: argparse.Namespace, *, create: bool = False) -> Iterator[Store]:
    """The store that ``--store`` names, closed at the end."""
    store = open_store(flags.store, create=create)
    try:
        yield store
    finally:
        store.close()


def actor(flags: argparse.Namespace) -> str:
    """Who does it: ``--by``, else who is logged in."""
    try:
        return str(flags.by or getpass.getuser())
    except (KeyError, OSError):
        # a container may run under a number that has no name
        return str(os.getuid())
