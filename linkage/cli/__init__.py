"""The command ``linkage``: the only place that sees every room."""

from linkage.cli.main import main

__all__ = ["main"]
